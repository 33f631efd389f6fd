variable "environment" {
  description = "Name of the environment; part of every name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,11}$", var.environment))
    error_message = "environment must be 2 to 12 lower-case letters and digits, e.g. dev."
  }
}

variable "ingress" {
  description = "How requests get from the gateway to the tasks: vpc_link (nothing of ours is open to the internet) or elastic_ip (the plain way: plain HTTP to a port that is open to the world)."
  type        = string
  nullable    = false
  default     = "vpc_link"

  validation {
    condition     = contains(["vpc_link", "elastic_ip"], var.ingress)
    error_message = "ingress must be vpc_link or elastic_ip."
  }

  validation {
    condition     = var.ingress == "vpc_link" || var.capacity == "single_host" && var.launch_type == "EC2" && var.egress == "public_address"
    error_message = "elastic_ip is the address of one host: it needs capacity single_host, launch_type EC2 and egress public_address."
  }
}

variable "capacity" {
  description = "single_host, or fleet: 2 to 10 tasks over two zones, scaled by their load."
  type        = string
  nullable    = false
  default     = "single_host"

  validation {
    condition     = contains(["single_host", "fleet"], var.capacity)
    error_message = "capacity must be single_host or fleet."
  }
}

variable "launch_type" {
  description = "EC2: on hosts of ours; FARGATE: on Amazon's."
  type        = string
  nullable    = false
  default     = "EC2"

  validation {
    condition     = contains(["EC2", "FARGATE"], var.launch_type)
    error_message = "launch_type must be EC2 or FARGATE."
  }
}

variable "balancer" {
  description = "Before a fleet: alb (with a web application firewall), or cloud_map (cheaper, without one). A single host has cloud_map always."
  type        = string
  nullable    = false
  default     = "alb"

  validation {
    condition     = contains(["alb", "cloud_map"], var.balancer)
    error_message = "balancer must be alb or cloud_map."
  }
}

variable "egress" {
  description = "How hosts and tasks reach the internet: public_address (in public subnets, nothing let in) or nat_gateway (in private subnets)."
  type        = string
  nullable    = false
  default     = "public_address"

  validation {
    condition     = contains(["public_address", "nat_gateway"], var.egress)
    error_message = "egress must be public_address or nat_gateway."
  }
}

variable "network" {
  description = "The VPC's range; whether AWS services are reached by private endpoints; whether refused connections are logged."
  type = object({
    cidr                = optional(string, "10.20.0.0/16")
    interface_endpoints = optional(bool, false)
    flow_logs           = optional(bool, true)
  })
  nullable = false
  default  = {}

  validation {
    condition     = can(cidrhost(var.network.cidr, 0))
    error_message = "network.cidr must be an IPv4 range, e.g. 10.20.0.0/16."
  }
}

variable "hosts" {
  description = "Hosts: EC2 type, disk, swap, image (null: Amazon's newest), how many a fleet has, and whether it runs the playbooks at boot."
  type = object({
    instance_type     = optional(string, "t3.small")
    disk_gb           = optional(number, 30)
    swap_size_mb      = optional(number, 2048)
    ami_id            = optional(string)
    fleet_size        = optional(object({ min = number, max = number }), { min = 2, max = 5 })
    configure_at_boot = optional(bool, true)
  })
  nullable = false
  default  = {}

  validation {
    condition     = can(regex("^t(3|3a|4g)[.](small|medium|large|xlarge|2xlarge)$", var.hosts.instance_type))
    error_message = "hosts.instance_type must be of the t3, t3a or t4g class, small to 2xlarge."
  }

  validation {
    condition     = var.hosts.swap_size_mb >= 0 && var.hosts.swap_size_mb <= 16384
    error_message = "hosts.swap_size_mb must be 0 to 16384."
  }
}

variable "task" {
  description = "A task: CPU units (1024 are one core), megabytes that it may use, is placed by, and may swap. By default two fit a t3.small, so that a deployment overlaps."
  type = object({
    cpu         = optional(number, 768)
    memory_mb   = optional(number, 1024)
    reserved_mb = optional(number, 640)
    swap_mb     = optional(number, 1024)
  })
  nullable = false
  default  = {}

  validation {
    condition     = var.launch_type == "FARGATE" || var.task.swap_mb <= var.hosts.swap_size_mb
    error_message = "task.swap_mb must not be above hosts.swap_size_mb: ECS refuses swap that the host has not."
  }
}

variable "tasks" {
  description = "Tasks of a fleet, at least and at most, and the requests per minute that each is to have."
  type = object({
    min                 = optional(number, 2)
    max                 = optional(number, 10)
    requests_per_minute = optional(number, 600)
  })
  nullable = false
  default  = {}

  validation {
    condition     = var.tasks.min >= 2 && var.tasks.max >= var.tasks.min && var.tasks.max <= 10
    error_message = "tasks must be 2 to 10, and max not below min."
  }
}

variable "image" {
  description = "Image of the first revision, by digest; null until the first `finbert deploy release`, which registers all later ones."
  type        = string
  default     = null

  validation {
    condition     = var.image == null || can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must be named by its digest: ...@sha256:<64 hexadecimal digits>."
  }
}

variable "settings" {
  description = "Further settings of the service (docs/settings.md)."
  type        = map(string)
  nullable    = false
  default     = {}

  validation {
    condition     = length(setintersection(keys(var.settings), ["DATABASE_URL", "API_KEY", "JWT_SECRET"])) == 0
    error_message = "DATABASE_URL, API_KEY and JWT_SECRET are secrets: they come from SSM."
  }
}

variable "database" {
  description = "The database: class, storage at the start and at most, a second instance, days of backups, protection, connections that are an alarm."
  type = object({
    instance_class    = optional(string, "db.t4g.micro")
    storage_gb        = optional(object({ initial = number, most = number }), { initial = 20, most = 100 })
    multi_az          = optional(bool, false)
    backup_days       = optional(number, 7)
    protected         = optional(bool, true)
    alarm_connections = optional(number, 60)
  })
  nullable = false
  default  = {}

  validation {
    condition     = var.database.backup_days >= 1 && var.database.backup_days <= 35
    error_message = "database.backup_days must be 1 to 35: without backups there is nothing to restore."
  }

  validation {
    condition     = var.database.alarm_connections >= 10
    error_message = "database.alarm_connections must be 10 at least; one worker alone opens six."
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

variable "throttling" {
  description = "Requests per second of all clients together, steadily and in a burst; in five minutes of one client's address, where an ALB stands."
  type = object({
    rate                = optional(number, 50)
    burst               = optional(number, 100)
    requests_per_client = optional(number, 3000)
  })
  nullable = false
  default  = {}

  validation {
    condition     = var.throttling.rate >= 1 && var.throttling.burst >= 1 && var.throttling.requests_per_client >= 100
    error_message = "throttling.rate and throttling.burst must be 1 at least, throttling.requests_per_client 100."
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

variable "container_insights" {
  description = "Whether ECS sends metrics for each task, at a price."
  type        = bool
  nullable    = false
  default     = true
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
  nullable    = false
  default     = 30

  validation {
    condition     = contains([7, 14, 30, 60, 90, 180, 365, 400, 731], var.log_retention_days)
    error_message = "log_retention_days must be 7, 14, 30, 60, 90, 180, 365, 400 or 731."
  }
}

variable "playbooks" {
  description = "Folder of the playbooks that hosts of a fleet run at boot."
  type        = string
  nullable    = false

  validation {
    condition     = var.playbooks == abspath(var.playbooks)
    error_message = "playbooks must be an absolute path."
  }
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
