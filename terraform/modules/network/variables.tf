variable "name" {
  description = "Prefix of every name, e.g. finbert-api-dev."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and dashes, and start with a letter."
  }
}

variable "cidr" {
  description = "Address range of the VPC; each of the four subnets takes a sixteenth of it."
  type        = string
  nullable    = false

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(tonumber(split("/", var.cidr)[1]), 0) >= 16 && try(tonumber(split("/", var.cidr)[1]), 99) <= 22
    error_message = "cidr must be an IPv4 range between /16 and /22, e.g. 10.20.0.0/16."
  }
}

variable "nat_gateway" {
  description = "Whether private subnets reach the internet, through one NAT gateway."
  type        = bool
  nullable    = false
}

variable "interface_endpoints" {
  description = "Whether AWS services are reached through private endpoints (ECR, logs, metrics, SSM, ECS) in place of the internet."
  type        = bool
  nullable    = false
}

variable "flow_logs" {
  description = "Whether refused connections are logged."
  type        = bool
  nullable    = false
}

variable "log_group_prefix" {
  description = "Prefix of log groups, e.g. /finbert-api/dev."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.log_group_prefix, "/") && !endswith(var.log_group_prefix, "/")
    error_message = "log_group_prefix must start with a slash and not end with one."
  }
}

variable "log_retention_days" {
  description = "How long logs are kept; one of the spans that CloudWatch knows."
  type        = number
  nullable    = false

  validation {
    condition     = contains([7, 14, 30, 60, 90, 180, 365, 400, 731], var.log_retention_days)
    error_message = "log_retention_days must be 7, 14, 30, 60, 90, 180, 365, 400 or 731."
  }
}
