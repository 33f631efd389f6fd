variable "repository" {
  description = "The GitHub repository whose workflows may act here, as owner/name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository must be owner/name, without wildcards."
  }
}

variable "environments" {
  description = "Environments of the repository, each with roles of its own."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.environments) > 0 && alltrue([for name in var.environments : can(regex("^[a-z][a-z0-9]{1,11}$", name))])
    error_message = "environments must be 2 to 12 lower-case letters and digits each, e.g. dev."
  }
}

variable "state_bucket_arn" {
  description = "The bucket of Terraform's state."
  type        = string
  nullable    = false
}

variable "registry_arn" {
  description = "The repository of images."
  type        = string
  nullable    = false
}
