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

variable "ingress" {
  description = "vpc_link, or elastic_ip (the plain way, with its weakness): docs/infrastructure.md."
  type        = string
  nullable    = false
  default     = "vpc_link"

  validation {
    condition     = contains(["vpc_link", "elastic_ip"], var.ingress)
    error_message = "ingress must be vpc_link or elastic_ip."
  }
}

variable "capacity" {
  description = "single_host or fleet."
  type        = string
  nullable    = false
  default     = "fleet"

  validation {
    condition     = contains(["single_host", "fleet"], var.capacity)
    error_message = "capacity must be single_host or fleet."
  }
}

variable "launch_type" {
  description = "EC2 or FARGATE."
  type        = string
  nullable    = false
  default     = "EC2"

  validation {
    condition     = contains(["EC2", "FARGATE"], var.launch_type)
    error_message = "launch_type must be EC2 or FARGATE."
  }
}

variable "balancer" {
  description = "Before a fleet: alb or cloud_map."
  type        = string
  nullable    = false
  default     = "alb"

  validation {
    condition     = contains(["alb", "cloud_map"], var.balancer)
    error_message = "balancer must be alb or cloud_map."
  }
}

variable "alerts" {
  description = "Who is told of alarms: mail addresses, a Slack channel (null: none), and the account's charges of a month that are an alarm (null: none)."
  type = object({
    emails            = optional(set(string), [])
    slack             = optional(object({ team_id = string, channel_id = string }))
    billing_limit_usd = optional(number, 100)
  })
  nullable = false
  default  = {}

  validation {
    condition     = alltrue([for email in var.alerts.emails : can(regex("^[^@ ]+@[^@ ]+[.][^@ ]+$", email))])
    error_message = "alerts.emails must be mail addresses."
  }
}

variable "secret_versions" {
  description = "A higher number makes that secret anew."
  type        = object({ database = optional(number, 1), api_key = optional(number, 1), jwt = optional(number, 1) })
  nullable    = false
  default     = {}

  validation {
    condition     = alltrue([for version in values(var.secret_versions) : version >= 1])
    error_message = "secret_versions must be whole numbers from 1."
  }
}

variable "image" {
  description = "Image of the first revision, by digest; null until the first release."
  type        = string
  default     = null

  validation {
    condition     = var.image == null || can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must be named by its digest: ...@sha256:<64 hexadecimal digits>."
  }
}

variable "protected" {
  description = "Whether database, load balancer and models refuse to be destroyed: false, applied, before tearing down."
  type        = bool
  nullable    = false
  default     = true
}
