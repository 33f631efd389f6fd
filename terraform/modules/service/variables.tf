variable "name" {
  description = "Prefix of every name, e.g. finbert-api-dev."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and dashes, and start with a letter."
  }
}

variable "cluster_id" {
  description = "The cluster."
  type        = string
  nullable    = false
}

variable "launch_type" {
  description = "EC2: on hosts of ours; FARGATE: on Amazon's."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["EC2", "FARGATE"], var.launch_type)
    error_message = "launch_type must be EC2 or FARGATE."
  }
}

variable "capacity_provider" {
  description = "The fleet's capacity provider; null without one."
  type        = string
}

variable "fixed_port" {
  description = "Whether the task takes port 8000 of its host; a deployment then stops the old task first."
  type        = bool
  nullable    = false
}

variable "image" {
  description = "The image of the first revision, by digest; later ones are registered by `finbert deploy release`."
  type        = string
  nullable    = false
}

variable "is_arm" {
  description = "Whether the task runs on Graviton."
  type        = bool
  nullable    = false
}

variable "task" {
  description = "Size of a task: CPU units (1024 are one core), megabytes that it may use, is placed by, and may swap."
  type        = object({ cpu = number, memory_mb = number, reserved_mb = number, swap_mb = number })
  nullable    = false

  validation {
    condition     = var.task.memory_mb >= 512 && var.task.reserved_mb <= var.task.memory_mb && var.task.reserved_mb >= 256
    error_message = "task.memory_mb must be 512 at least, and task.reserved_mb 256 at least and not above it."
  }

  validation {
    condition     = var.task.swap_mb >= 0 && var.task.cpu >= 128
    error_message = "task.swap_mb must not be negative, and task.cpu be 128 at least."
  }

  validation {
    condition     = var.launch_type == "EC2" || contains([256, 512, 1024, 2048, 4096], var.task.cpu) && var.task.memory_mb >= var.task.cpu * 2 && var.task.memory_mb % 1024 == 0
    error_message = "Fargate takes 256, 512, 1024, 2048 or 4096 CPU units, and memory in whole gigabytes, two for each 1024 units at least."
  }
}

variable "tasks" {
  description = "How many tasks run at the start; autoscaling and releases change it."
  type        = number
  nullable    = false

  validation {
    condition     = var.tasks >= 1
    error_message = "tasks must be 1 at least."
  }
}

variable "environment_variables" {
  description = "Settings of the service (docs/settings.md) that are no secrets."
  type        = map(string)
  nullable    = false

  validation {
    condition     = length(setintersection(keys(var.environment_variables), ["DATABASE_URL", "API_KEY", "JWT_SECRET"])) == 0
    error_message = "DATABASE_URL, API_KEY and JWT_SECRET are secrets, and come from SSM."
  }
}

variable "secret_arns" {
  description = "Parameters by the setting that they hold."
  type        = map(string)
  nullable    = false
}

variable "metrics_namespace" {
  description = "The only namespace that tasks may send metrics to."
  type        = string
  nullable    = false
}

variable "model_bucket_arn" {
  description = "The bucket that tasks may read models from."
  type        = string
  nullable    = false
}

variable "repository_arn" {
  description = "The repository that images come from."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "Where Fargate tasks stand."
  type        = list(string)
  nullable    = false
}

variable "public_address" {
  description = "Whether Fargate tasks have public addresses."
  type        = bool
  nullable    = false
}

variable "security_group_id" {
  description = "The group of Fargate tasks."
  type        = string
  nullable    = false
}

variable "target_group_arn" {
  description = "Where a load balancer expects the tasks; null without one."
  type        = string
}

variable "registry_arn" {
  description = "Where Cloud Map expects the tasks; null without it."
  type        = string
}

variable "log_group_prefix" {
  description = "Prefix of log groups."
  type        = string
  nullable    = false
}

variable "log_retention_days" {
  description = "How long the service's log is kept."
  type        = number
  nullable    = false
}
