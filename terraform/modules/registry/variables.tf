variable "name" {
  description = "Name of the repository."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", var.name))
    error_message = "name must be a repository's: lower-case words with . _ - or / between them."
  }
}

variable "images_kept" {
  description = "How many images stay; a rollback needs its own."
  type        = number
  nullable    = false

  validation {
    condition     = var.images_kept >= 5
    error_message = "images_kept must be 5 at least, or a rollback may find its image gone."
  }
}

variable "deletable" {
  description = "Whether the repository may be destroyed with the images in it."
  type        = bool
  nullable    = false
}
