locals {
  deploy = {
    cluster            = module.cluster.name
    service            = module.service.name
    task_family        = module.service.family
    ecr_repository_url = data.aws_ecr_repository.app.repository_url
    base_url           = module.gateway.url
  }
}

# So that a pipeline finds its way by the environment's name, without reading Terraform's state.
resource "aws_ssm_parameter" "deploy" {
  #checkov:skip=CKV2_AWS_34:Names and addresses, no secret
  name        = "${local.log_group_prefix}/deploy"
  description = "What finbert deploy takes"
  type        = "String"
  value       = jsonencode(local.deploy)
}
