# The bucket and its region come with `terraform init`: docs/operations.md.
terraform {
  backend "s3" {
    key          = "prod/terraform.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

locals {
  environment = "prod"
  tags        = { Project = "finbert-api", Environment = local.environment, ManagedBy = "terraform" }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = local.tags
  }
}

# Charges are measured there alone.
provider "aws" {
  alias  = "us_east_1"
  region = "us-east-1"

  default_tags {
    tags = local.tags
  }
}

module "random_secrets" {
  source = "../../modules/random_secrets"
}

module "stack" {
  source = "../../modules/stack"

  environment = local.environment
  playbooks   = abspath("${path.root}/../../../ansible")
  ingress     = var.ingress
  capacity    = var.capacity
  launch_type = var.launch_type
  balancer    = var.balancer
  alerts      = var.alerts
  image       = var.image

  secrets = {
    database = module.random_secrets.database
    api_key  = module.random_secrets.api_key
    jwt      = module.random_secrets.jwt
  }

  secret_versions = var.secret_versions
  egress          = "nat_gateway"
  network         = { cidr = "10.30.0.0/16" }
  hosts           = { instance_type = "t3.medium", swap_size_mb = 2048 }
  task            = var.launch_type == "FARGATE" ? { cpu = 2048, memory_mb = 4096 } : { cpu = 1024, memory_mb = 1536, reserved_mb = 1024 }
  database        = { instance_class = "db.t4g.small", protected = var.protected, multi_az = true, backup_days = 14, alarm_connections = 120 }

  log_retention_days = 90

  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }
}
