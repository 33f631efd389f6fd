data "aws_region" "current" {}

data "aws_caller_identity" "current" {}

# Made by terraform/bootstrap: one for all environments, so that prod runs the very image that dev ran.
data "aws_ecr_repository" "app" {
  name = local.project
}

locals {
  project           = "finbert-api"
  name              = "${local.project}-${var.environment}"
  log_group_prefix  = "/${local.project}/${var.environment}"
  metrics_namespace = "FinbertAPI"

  is_fleet      = var.capacity == "fleet"
  is_fargate    = var.launch_type == "FARGATE"
  hosts         = local.is_fargate ? "none" : var.capacity
  is_public     = var.egress == "public_address"
  app_subnets   = local.is_public ? module.network.public_subnet_ids : module.network.private_subnet_ids
  has_balancer  = local.is_fleet && var.balancer == "alb"
  has_discovery = var.ingress == "vpc_link" && !local.has_balancer
  tasks         = local.is_fleet ? var.tasks.min : 1

  # What Ansible takes: its inventory finds hosts by the tags, its roles read the rest.
  ansible_vars = {
    region           = data.aws_region.current.name
    environment      = var.environment
    cluster_name     = local.name
    swap_size_mb     = var.hosts.swap_size_mb
    log_group_prefix = local.log_group_prefix
    ssm_bucket       = module.host_bucket.name
    tags             = { Project = local.project, Environment = var.environment, Role = "ecs-host" }
  }
}

module "network" {
  source = "../network"

  name                = local.name
  cidr                = var.network.cidr
  nat_gateway         = !local.is_public
  interface_endpoints = var.network.interface_endpoints
  flow_logs           = var.network.flow_logs
  log_group_prefix    = local.log_group_prefix
  log_retention_days  = var.log_retention_days
}

# The one group of what the service runs on, hosts or Fargate tasks. Whoever may come in adds its own rule.
resource "aws_security_group" "app" {
  name        = "${local.name}-app"
  description = "What the service runs on"
  vpc_id      = module.network.vpc_id

  tags = { Name = "${local.name}-app" }
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.app.id
  description       = "AWS services, packages"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

module "secrets" {
  source = "../secrets"

  prefix   = local.log_group_prefix
  secrets  = var.secrets
  versions = var.secret_versions
  database = module.database.connection
}

module "database" {
  source = "../database"

  name                     = local.name
  vpc_id                   = module.network.vpc_id
  subnet_ids               = module.network.private_subnet_ids
  client_security_group_id = aws_security_group.app.id
  instance_class           = var.database.instance_class
  storage_gb               = var.database.storage_gb
  multi_az                 = var.database.multi_az
  backup_days              = var.database.backup_days
  protected                = var.database.protected
  password                 = var.secrets.database
  password_version         = var.secret_versions.database
  log_retention_days       = var.log_retention_days
}

module "model_bucket" {
  source = "../bucket"

  name                 = "${local.name}-models-${data.aws_caller_identity.current.account_id}"
  old_versions_days    = 180
  archive_old_versions = true
  deletable            = !var.database.protected
}

# What hosts get: the playbooks, and the files that Ansible's connection over SSM carries.
module "host_bucket" {
  source = "../bucket"

  name              = "${local.name}-hosts-${data.aws_caller_identity.current.account_id}"
  old_versions_days = 7
  deletable         = true
}

resource "aws_s3_object" "playbook" {
  #checkov:skip=CKV_AWS_186:Encrypted with S3's own key; playbooks hold no secret
  for_each = local.hosts == "fleet" && var.hosts.configure_at_boot ? fileset(var.playbooks, "**") : []

  bucket      = module.host_bucket.name
  key         = "ansible/${each.key}"
  source      = "${var.playbooks}/${each.key}"
  source_hash = filemd5("${var.playbooks}/${each.key}")
}

module "cluster" {
  source = "../cluster"

  name               = local.name
  environment        = var.environment
  hosts              = local.hosts
  container_insights = var.container_insights
  subnet_ids         = local.app_subnets
  public_address     = local.is_public
  security_group_id  = aws_security_group.app.id
  instance_type      = var.hosts.instance_type
  ami_id             = var.hosts.ami_id
  disk_gb            = var.hosts.disk_gb
  fleet_size         = var.hosts.fleet_size
  log_group_prefix   = local.log_group_prefix
  log_retention_days = var.log_retention_days
  host_bucket_arn    = module.host_bucket.arn
  configuration      = local.ansible_vars
  configure_at_boot  = var.hosts.configure_at_boot
}

module "service" {
  source = "../service"

  name              = local.name
  cluster_id        = module.cluster.id
  launch_type       = var.launch_type
  capacity_provider = module.cluster.capacity_provider
  fixed_port        = var.ingress == "elastic_ip"
  image             = var.image != null ? var.image : "${data.aws_ecr_repository.app.repository_url}:unreleased"
  is_arm            = module.cluster.is_arm
  task              = var.task
  tasks             = local.tasks

  environment_variables = merge({
    AWS_REGION           = data.aws_region.current.name
    CLOUDWATCH_NAMESPACE = local.metrics_namespace
    DATA_DIR             = "/var/lib/finbert"
    HOST                 = "0.0.0.0"
    LOG_LEVEL            = "INFO"
    METRICS_BACKEND      = "both"
    PORT                 = "8000"
    WEB_CONCURRENCY      = "2"
  }, var.settings)

  secret_arns        = module.secrets.parameter_arns
  metrics_namespace  = local.metrics_namespace
  model_bucket_arn   = module.model_bucket.arn
  repository_arn     = data.aws_ecr_repository.app.arn
  subnet_ids         = local.app_subnets
  public_address     = local.is_public
  security_group_id  = aws_security_group.app.id
  target_group_arn   = one(module.load_balancer[*].target_group_arn)
  registry_arn       = one(aws_service_discovery_service.app[*].arn)
  log_group_prefix   = local.log_group_prefix
  log_retention_days = var.log_retention_days
}

module "autoscaling" {
  source = "../autoscaling"
  count  = local.is_fleet ? 1 : 0

  cluster_name        = module.cluster.name
  service_name        = module.service.name
  tasks               = { min = var.tasks.min, max = var.tasks.max }
  requests_per_task   = var.tasks.requests_per_minute
  load_balancer_label = one(module.load_balancer[*].label)
  api_id              = module.gateway.api_id
}

module "monitoring" {
  source = "../monitoring"

  name                = local.name
  dashboard_name      = var.environment == "prod" ? "finbert-api-dashboard" : "finbert-api-dashboard-${var.environment}"
  emails              = var.alerts.emails
  slack               = var.alerts.slack
  metrics_namespace   = local.metrics_namespace
  cluster_name        = module.cluster.name
  service_name        = module.service.name
  tasks               = local.tasks
  host_dimensions     = module.cluster.host_dimensions
  balancer_dimensions = one(module.load_balancer[*].dimensions)
  api_id              = module.gateway.api_id
  billing_limit_usd   = var.alerts.billing_limit_usd

  database = {
    identifier       = module.database.identifier
    storage_gb       = var.database.storage_gb.initial
    most_connections = var.database.alarm_connections
  }

  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }
}
