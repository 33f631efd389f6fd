# Once for an account, before all else: where state lives, where images live, and who may act for GitHub.
# Its own state stays in this folder: what it makes can be imported again if that gets lost.
provider "aws" {
  region = var.region

  default_tags {
    tags = { Project = "finbert-api", ManagedBy = "terraform" }
  }
}

data "aws_caller_identity" "current" {}

module "state_bucket" {
  source = "../modules/bucket"

  name              = "finbert-api-terraform-${data.aws_caller_identity.current.account_id}"
  old_versions_days = 365
  deletable         = var.deletable
}

module "registry" {
  source = "../modules/registry"

  name        = "finbert-api"
  images_kept = 30
  deletable   = var.deletable
}

module "github" {
  source = "../modules/github"

  repository       = var.github_repository
  environments     = var.environments
  state_bucket_arn = module.state_bucket.arn
  registry_arn     = module.registry.arn
}
