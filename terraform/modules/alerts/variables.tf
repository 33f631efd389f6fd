variable "name" {
  description = "Prefix of every name, e.g. finbert-api-dev."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and dashes, and start with a letter."
  }
}

variable "emails" {
  description = "Who is told by mail; each confirms once by the link in the first one."
  type        = set(string)
  nullable    = false

  validation {
    condition     = alltrue([for email in var.emails : can(regex("^[^@ ]+@[^@ ]+[.][^@ ]+$", email))])
    error_message = "emails must be mail addresses."
  }
}
