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
  description = "Tasks at least and at most."
  type        = object({ min = number, max = number })
  nullable    = false

  validation {
    condition     = var.tasks.min >= 2 && var.tasks.max >= var.tasks.min && var.tasks.max <= 10
    error_message = "tasks must be 2 to 10, and max not below min."
  }
}

variable "cpu_percent" {
  description = "CPU of the tasks' reservation, on average, that is aimed at."
  type        = number
  nullable    = false
  default     = 70

  validation {
    condition     = var.cpu_percent >= 20 && var.cpu_percent <= 90
    error_message = "cpu_percent must be 20 to 90."
  }
}

variable "requests_per_task" {
  description = "Requests per minute and task that are aimed at."
  type        = number
  nullable    = false

  validation {
    condition     = var.requests_per_task >= 1
    error_message = "requests_per_task must be 1 at least."
  }
}

variable "load_balancer_label" {
  description = "What names load balancer and target group in metrics; null without one."
  type        = string
}

variable "api_id" {
  description = "The gateway, which counts requests where no load balancer stands."
  type        = string
  nullable    = false
}
