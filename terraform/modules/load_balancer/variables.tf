variable "name" {
  description = "Prefix of every name, e.g. finbert-api-dev."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and dashes, and start with a letter."
  }
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "Private subnets in two zones at least."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "A load balancer needs subnets in two zones."
  }
}

variable "client_security_group_id" {
  description = "The group of the gateway's VPC link, the only client."
  type        = string
  nullable    = false
}

variable "app_security_group_id" {
  description = "The group of what tasks run on."
  type        = string
  nullable    = false
}

variable "task_ports" {
  description = "Ports that tasks may have."
  type        = object({ from = number, to = number })
  nullable    = false
}

variable "target_type" {
  description = "instance: tasks by their host's port; ip: tasks by their own address."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["instance", "ip"], var.target_type)
    error_message = "target_type must be instance or ip."
  }
}

variable "protected" {
  description = "Whether the load balancer refuses to be deleted."
  type        = bool
  nullable    = false
}

variable "client_address_header" {
  description = "Header in which the gateway tells the client's address."
  type        = string
  nullable    = false
}

variable "requests_per_client" {
  description = "Requests in five minutes after which the firewall refuses a client's address."
  type        = number
  nullable    = false

  validation {
    condition     = var.requests_per_client >= 100
    error_message = "requests_per_client must be 100 at least; WAF counts no less."
  }
}
