variable "name" {
  description = "Prefix of every name, e.g. finbert-api-dev."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and dashes, and start with a letter."
  }
}

variable "target" {
  description = "Where requests go: an address (http://...), or what the VPC link reaches (ARN of a listener or of a Cloud Map service)."
  type        = string
  nullable    = false
}

variable "vpc_link_id" {
  description = "The VPC link; null sends requests over the internet."
  type        = string
}

variable "client_address_header" {
  description = "Header in which the target is told the client's address."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]*$", var.client_address_header)) && !startswith(lower(var.client_address_header), "x-forwarded")
    error_message = "client_address_header must be a header's name, and not X-Forwarded-..., which the gateway keeps to itself."
  }
}

variable "throttling" {
  description = "Requests per second of all clients together, steadily and in a burst."
  type        = object({ rate = number, burst = number })
  nullable    = false

  validation {
    condition     = var.throttling.rate >= 1 && var.throttling.burst >= 1
    error_message = "throttling.rate and throttling.burst must be 1 at least."
  }
}

variable "log_group_prefix" {
  description = "Prefix of log groups."
  type        = string
  nullable    = false
}

variable "log_retention_days" {
  description = "How long access logs are kept."
  type        = number
  nullable    = false
}
