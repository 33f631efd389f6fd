variable "name" {
  description = "Name of the instance and prefix of the rest, e.g. finbert-api-dev."
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
    error_message = "RDS needs subnets in two zones."
  }
}

variable "client_security_group_id" {
  description = "The only group whose members may connect."
  type        = string
  nullable    = false
}

variable "instance_class" {
  description = "Size, e.g. db.t4g.micro."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.instance_class, "db.")
    error_message = "instance_class must be an RDS class, e.g. db.t4g.micro."
  }
}

variable "storage_gb" {
  description = "Storage at the start, and the most that it may grow to by itself."
  type        = object({ initial = number, most = number })
  nullable    = false

  validation {
    condition     = var.storage_gb.initial >= 20 && var.storage_gb.most > var.storage_gb.initial
    error_message = "storage_gb.initial must be 20 at least (gp3), and storage_gb.most more than it."
  }
}

variable "multi_az" {
  description = "Whether a second instance in the other zone takes over when the first fails."
  type        = bool
  nullable    = false
}

variable "backup_days" {
  description = "For how many days back any second can be restored."
  type        = number
  nullable    = false

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "backup_days must be 1 to 35: without backups there is nothing to restore."
  }
}

variable "protected" {
  description = "Whether the database refuses to be deleted, and leaves a last snapshot when it is."
  type        = bool
  nullable    = false
}

variable "password" {
  description = "Password of the owner; goes to RDS and to no state."
  type        = string
  nullable    = false
  ephemeral   = true
  sensitive   = true

  validation {
    condition     = length(var.password) >= 20
    error_message = "The password must have 20 characters at least."
  }
}

variable "password_version" {
  description = "A higher number sets the password anew."
  type        = number
  nullable    = false

  validation {
    condition     = var.password_version >= 1 && floor(var.password_version) == var.password_version
    error_message = "password_version must be a whole number from 1."
  }
}

variable "log_retention_days" {
  description = "How long PostgreSQL's log is kept."
  type        = number
  nullable    = false

  validation {
    condition     = contains([7, 14, 30, 60, 90, 180, 365, 400, 731], var.log_retention_days)
    error_message = "log_retention_days must be 7, 14, 30, 60, 90, 180, 365, 400 or 731."
  }
}
