data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  issuer  = "token.actions.githubusercontent.com"
  account = data.aws_caller_identity.current.account_id
  here    = "${data.aws_region.current.name}:${local.account}"

  # Each token says of which repository's environment its job is; GitHub guards who may use that.
  subject_of_environment = { for name in var.environments : name => "repo:${var.repository}:environment:${name}" }

  trust = {
    for subject in concat(values(local.subject_of_environment), ["repo:${var.repository}:pull_request"]) :
    subject => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Action    = "sts:AssumeRoleWithWebIdentity"
        Principal = { Federated = aws_iam_openid_connect_provider.github.arn }
        Condition = {
          StringEquals = {
            "${local.issuer}:aud" = "sts.amazonaws.com"
            "${local.issuer}:sub" = subject
          }
        }
      }]
    })
  }
}

resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

# deploy: ships releases, and nothing else.

resource "aws_iam_role" "deploy" {
  for_each = var.environments

  name               = "finbert-api-${each.key}-deploy"
  description        = "Ships releases to ${each.key}"
  assume_role_policy = local.trust[local.subject_of_environment[each.key]]
}

resource "aws_iam_role_policy" "deploy" {
  #checkov:skip=CKV_AWS_290:RegisterTaskDefinition knows no resource; which roles a task gets is bound below
  #checkov:skip=CKV_AWS_355:As above; GetAuthorizationToken and task definitions know no resource
  for_each = var.environments

  name = "deploy"
  role = aws_iam_role.deploy[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "TaskDefinitions"
        Effect = "Allow"
        Action = [
          "ecr:GetAuthorizationToken", "ecs:DeregisterTaskDefinition", "ecs:DescribeTaskDefinition",
          "ecs:ListTaskDefinitions", "ecs:RegisterTaskDefinition",
        ]
        Resource = "*"
      },
      {
        Sid    = "PushImage"
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
          "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
        ]
        Resource = var.registry_arn
      },
      {
        Sid    = "Service"
        Effect = "Allow"
        Action = [
          "ecs:DescribeServices", "ecs:UpdateService", "ecs:DescribeServiceDeployments", "ecs:ListServiceDeployments",
          "ecs:StopServiceDeployment",
        ]
        Resource = [
          "arn:aws:ecs:${local.here}:service/finbert-api-${each.key}/finbert-api-${each.key}",
          "arn:aws:ecs:${local.here}:service-deployment/finbert-api-${each.key}/finbert-api-${each.key}/*",
        ]
      },
      {
        Sid       = "Tasks"
        Effect    = "Allow"
        Action    = ["ecs:DescribeTasks", "ecs:ListTasks"]
        Resource  = "*"
        Condition = { ArnEquals = { "ecs:cluster" = "arn:aws:ecs:${local.here}:cluster/finbert-api-${each.key}" } }
      },
      {
        Sid      = "TagTaskDefinition"
        Effect   = "Allow"
        Action   = "ecs:TagResource"
        Resource = "arn:aws:ecs:${local.here}:task-definition/finbert-api-${each.key}:*"
      },
      {
        Sid    = "RolesOfTheTask"
        Effect = "Allow"
        Action = "iam:PassRole"
        Resource = [
          "arn:aws:iam::${local.account}:role/finbert-api-${each.key}-execution",
          "arn:aws:iam::${local.account}:role/finbert-api-${each.key}-task",
        ]
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
      {
        Sid      = "WhereAndByWhichKey"
        Effect   = "Allow"
        Action   = ["ssm:GetParameter", "ssm:GetParameters"]
        Resource = [for name in ["deploy", "API_KEY"] : "arn:aws:ssm:${local.here}:parameter/finbert-api/${each.key}/${name}"]
      },
      {
        Sid      = "WhyATaskEnded"
        Effect   = "Allow"
        Action   = ["logs:FilterLogEvents", "logs:GetLogEvents"]
        Resource = "arn:aws:logs:${local.here}:log-group:/finbert-api/${each.key}/app:*"
      },
      {
        Sid    = "Models"
        Effect = "Allow"
        Action = ["s3:GetObject", "s3:ListBucket", "s3:PutObject"]
        Resource = [
          "arn:aws:s3:::finbert-api-${each.key}-models-${local.account}",
          "arn:aws:s3:::finbert-api-${each.key}-models-${local.account}/*",
        ]
      },
    ]
  })
}

# terraform: applies what the environment's approval let through. Who makes roles is as good as an administrator, so what
# guards this role is that approval.

resource "aws_iam_role" "terraform" {
  for_each = var.environments

  name               = "finbert-api-${each.key}-terraform"
  description        = "Applies Terraform to ${each.key}"
  assume_role_policy = local.trust[local.subject_of_environment[each.key]]
}

resource "aws_iam_role_policy_attachment" "terraform" {
  for_each = var.environments

  role       = aws_iam_role.terraform[each.key].name
  policy_arn = "arn:aws:iam::aws:policy/PowerUserAccess"
}

resource "aws_iam_role_policy" "terraform" {
  #checkov:skip=CKV_AWS_286:Who applies the stack makes its roles; approval guards it
  #checkov:skip=CKV_AWS_287:As above
  #checkov:skip=CKV_AWS_289:As above
  #checkov:skip=CKV_AWS_355:Service-linked roles are made by AWS under names of its own
  for_each = var.environments

  name = "roles-of-the-stack"
  role = aws_iam_role.terraform[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "Roles"
        Effect = "Allow"
        Action = ["iam:*Role", "iam:*RolePolicy", "iam:*RolePolicies", "iam:*InstanceProfile", "iam:ListInstanceProfilesForRole", "iam:*RoleTags"]
        Resource = [
          "arn:aws:iam::${local.account}:role/finbert-api-${each.key}-*",
          "arn:aws:iam::${local.account}:instance-profile/finbert-api-${each.key}-*",
        ]
      },
      {
        Sid      = "NotItsOwn"
        Effect   = "Deny"
        Action   = ["iam:Attach*", "iam:Create*", "iam:Delete*", "iam:Detach*", "iam:Put*", "iam:Update*"]
        Resource = [for kind in ["deploy", "terraform"] : "arn:aws:iam::${local.account}:role/finbert-api-*-${kind}"]
      },
      {
        Sid      = "RolesOfServices"
        Effect   = "Allow"
        Action   = "iam:CreateServiceLinkedRole"
        Resource = "arn:aws:iam::${local.account}:role/aws-service-role/*"
      },
    ]
  })
}

# plan: looks on behalf of a pull request, which nobody has approved: no change, no secret.
# With it goes `terraform plan -refresh=false -lock=false`, since to refresh a parameter is to read it.

resource "aws_iam_role" "plan" {
  name               = "finbert-api-plan"
  description        = "Plans for pull requests"
  assume_role_policy = local.trust["repo:${var.repository}:pull_request"]
}

resource "aws_iam_role_policy_attachment" "plan" {
  role       = aws_iam_role.plan.name
  policy_arn = "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess"
}

resource "aws_iam_role_policy" "plan" {
  #checkov:skip=CKV_AWS_355:GetRandomPassword and descriptions know no resource
  name = "plan"
  role = aws_iam_role.plan.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "State"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:ListBucket"]
        Resource = [var.state_bucket_arn, "${var.state_bucket_arn}/*"]
      },
      {
        Sid    = "DataSources"
        Effect = "Allow"
        Action = [
          "ec2:DescribeAvailabilityZones", "ec2:DescribeInstanceTypes", "ecr:DescribeRepositories", "ecr:ListTagsForResource",
          "secretsmanager:GetRandomPassword",
        ]
        Resource = "*"
      },
      {
        Sid      = "PublicParameters"
        Effect   = "Allow"
        Action   = "ssm:GetParameter"
        Resource = "arn:aws:ssm:*::parameter/aws/service/*"
      },
      {
        Sid      = "NoSecret"
        Effect   = "Deny"
        Action   = "ssm:GetParameter*"
        Resource = "arn:aws:ssm:*:*:parameter/finbert-api/*"
      },
    ]
  })
}
