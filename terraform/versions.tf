# Only `terraform test` runs in this folder, over tests/*.tftest.hcl; what is applied is bootstrap and environments.
terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}
