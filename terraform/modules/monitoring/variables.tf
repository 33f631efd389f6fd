variable "name" {
  description = "Prefix of every name, e.g. finbert-api-dev."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and dashes, and start with a letter."
  }
}

variable "dashboard_name" {
  description = "Name of the dashboard."
  type        = string
  nullable    = false
}

variable "emails" {
  description = "Who is told of alarms by mail."
  type        = set(string)
  nullable    = false
}

variable "slack" {
  description = "Where alarms go in Slack, by Amazon Q Developer in chat applications, which the workspace has been joined to once; null for nowhere."
  type        = object({ team_id = string, channel_id = string })

  validation {
    condition     = var.slack == null || can(regex("^T[A-Z0-9]+$", var.slack.team_id)) && can(regex("^C[A-Z0-9]+$", var.slack.channel_id))
    error_message = "slack.team_id starts with T, slack.channel_id with C, both in capitals and digits."
  }
}

variable "metrics_namespace" {
  description = "Namespace of the service's own metrics."
  type        = string
  nullable    = false
}

variable "cluster_name" {
  description = "Name of the cluster."
  type        = string
  nullable    = false
}

variable "service_name" {
  description = "Name of the service."
  type        = string
  nullable    = false
}

variable "tasks" {
  description = "Fewer running tasks than this are an alarm."
  type        = number
  nullable    = false
}

variable "host_dimensions" {
  description = "By which metrics of hosts are found; null where none of ours stands."
  type        = map(string)
}

variable "balancer_dimensions" {
  description = "By which metrics of the load balancer's targets are found; null without one."
  type        = map(string)
}

variable "api_id" {
  description = "The gateway's API."
  type        = string
  nullable    = false
}

variable "database" {
  description = "The instance, its storage at the start, and the connections that are too many."
  type        = object({ identifier = string, storage_gb = number, most_connections = number })
  nullable    = false
}

variable "billing_limit_usd" {
  description = "Estimated charges of the account in this month that are an alarm; null for none."
  type        = number

  validation {
    condition     = var.billing_limit_usd == null || try(var.billing_limit_usd > 0, false)
    error_message = "billing_limit_usd must be above 0, or null."
  }
}
