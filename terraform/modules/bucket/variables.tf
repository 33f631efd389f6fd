variable "name" {
  description = "Name of the bucket, unique in the world."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 63 lower-case letters, digits and dashes."
  }
}

variable "old_versions_days" {
  description = "How long a version stays that was replaced or deleted."
  type        = number
  nullable    = false

  validation {
    condition     = var.old_versions_days >= 1
    error_message = "old_versions_days must be 1 at least."
  }
}

variable "archive_old_versions" {
  description = "Whether old versions go to cheaper storage after 30 days."
  type        = bool
  nullable    = false
  default     = false

  validation {
    condition     = !var.archive_old_versions || var.old_versions_days >= 60
    error_message = "Cheaper storage bills 30 days at least: keep old versions for 60 days or don't archive them."
  }
}

variable "deletable" {
  description = "Whether the bucket may be destroyed with what is in it."
  type        = bool
  nullable    = false
}
