variable "prefix" {
  description = "Path of the parameters, e.g. /finbert-api/dev."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^/[a-z0-9-]+/[a-z0-9-]+$", var.prefix))
    error_message = "prefix must have the form /project/environment."
  }
}

variable "versions" {
  description = "A higher number makes that secret anew."
  type        = object({ database = number, api_key = number, jwt = number })
  nullable    = false

  validation {
    condition     = alltrue([for version in values(var.versions) : version >= 1 && floor(version) == version])
    error_message = "versions must be whole numbers from 1."
  }
}

variable "database" {
  description = "What the database's URL is made of, beside the password."
  type        = object({ host = string, port = number, name = string, username = string })
  nullable    = false
}

variable "secrets" {
  description = "New secrets, of which those are written that are new or whose version rises; go to no plan and no state."
  type        = object({ database = string, api_key = string, jwt = string })
  nullable    = false
  ephemeral   = true
  sensitive   = true

  validation {
    condition     = alltrue([for secret in values(var.secrets) : can(regex("^[A-Za-z0-9]{32,128}$", secret))])
    error_message = "secrets must have 32 to 128 letters and digits each: they stand in URLs and headers, and sign tokens."
  }
}
