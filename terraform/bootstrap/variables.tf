variable "region" {
  description = "AWS region."
  type        = string
  nullable    = false
  default     = "eu-central-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region, e.g. eu-central-1."
  }
}

variable "github_repository" {
  description = "The GitHub repository whose workflows may act here, as owner/name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must be owner/name, without wildcards."
  }
}

variable "environments" {
  description = "Environments of the repository on GitHub, of the same names as folders under terraform/environments."
  type        = set(string)
  nullable    = false
  default     = ["dev", "prod"]

  validation {
    condition     = length(var.environments) > 0
    error_message = "environments must name one at least."
  }
}

variable "deletable" {
  description = "Whether state and images may be destroyed with what holds them: for tearing down alone."
  type        = bool
  nullable    = false
  default     = false
}
