variable "name" {
  description = "Prefix of every name, e.g. finbert-api-dev."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and dashes, and start with a letter."
  }
}

variable "environment" {
  description = "Name of the environment, e.g. dev; hosts carry it as a tag, by which the inventory finds them."
  type        = string
  nullable    = false
}

variable "hosts" {
  description = "What tasks run on: one host, a fleet over zones, or none of ours (Fargate)."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["single_host", "fleet", "none"], var.hosts)
    error_message = "hosts must be single_host, fleet or none."
  }
}

variable "container_insights" {
  description = "Whether ECS sends metrics for each task, at a price."
  type        = bool
  nullable    = false
}

variable "subnet_ids" {
  description = "Where hosts stand; a single host in the first."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "subnet_ids must name one subnet at least."
  }
}

variable "public_address" {
  description = "Whether hosts have public addresses, by which they reach the internet where there is no NAT gateway."
  type        = bool
  nullable    = false
}

variable "security_group_id" {
  description = "The group of the hosts."
  type        = string
  nullable    = false
}

variable "instance_type" {
  description = "Size of a host, e.g. t3.small."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*[.][a-z0-9]+$", var.instance_type))
    error_message = "instance_type must be an EC2 type, e.g. t3.small."
  }
}

variable "ami_id" {
  description = "Image of the hosts; null takes Amazon's newest for ECS on Amazon Linux 2023."
  type        = string

  validation {
    condition     = var.ami_id == null || can(regex("^ami-[0-9a-f]{8,17}$", var.ami_id))
    error_message = "ami_id must be the id of an image, e.g. ami-0123456789abcdef0."
  }
}

variable "disk_gb" {
  description = "Size of a host's disk: images, logs and the swap file."
  type        = number
  nullable    = false

  validation {
    condition     = var.disk_gb >= 30 && var.disk_gb <= 500
    error_message = "disk_gb must be 30 (the image of the host needs that) to 500."
  }
}

variable "fleet_size" {
  description = "Hosts of a fleet, at least and at most."
  type        = object({ min = number, max = number })
  nullable    = false

  validation {
    condition     = var.fleet_size.min >= 2 && var.fleet_size.max >= var.fleet_size.min
    error_message = "fleet_size.min must be 2 at least, one for each zone, and fleet_size.max not below it."
  }
}

variable "log_group_prefix" {
  description = "Log groups that hosts may write to."
  type        = string
  nullable    = false
}

variable "log_retention_days" {
  description = "How long logs of hosts are kept."
  type        = number
  nullable    = false
}

variable "host_bucket_arn" {
  description = "The bucket that holds the playbooks."
  type        = string
  nullable    = false
}

variable "configuration" {
  description = "What the playbooks take (output ansible_vars); hosts of a fleet run them at boot."
  type        = any
  nullable    = false

  validation {
    condition     = can(var.configuration.region) && can(var.configuration.cluster_name) && can(var.configuration.ssm_bucket)
    error_message = "configuration must have region, cluster_name and ssm_bucket at least."
  }
}

variable "configure_at_boot" {
  description = "Whether hosts of a fleet run the playbooks at boot; not needed with an image that has them applied."
  type        = bool
  nullable    = false
}
