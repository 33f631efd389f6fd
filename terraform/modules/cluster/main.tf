data "aws_ec2_instance_type" "this" {
  instance_type = var.instance_type
}

data "aws_ssm_parameter" "ami" {
  name = "/aws/service/ecs/optimized-ami/amazon-linux-2023/${local.is_arm ? "arm64/" : ""}recommended/image_id"
}

locals {
  is_arm    = contains(data.aws_ec2_instance_type.this.supported_architectures, "arm64")
  ami_id    = var.ami_id != null ? var.ami_id : nonsensitive(data.aws_ssm_parameter.ami.value)
  host_tags = { Name = "${var.name}-host", Role = "ecs-host" }

  user_data = templatefile("${path.module}/boot.sh.tftpl", {
    cluster   = var.name
    variables = var.hosts == "fleet" && var.configure_at_boot ? jsonencode(var.configuration) : ""
    bucket    = var.configuration.ssm_bucket
    region    = var.configuration.region
  })
}

resource "aws_ecs_cluster" "this" {
  #checkov:skip=CKV_AWS_65:A variable, and on by default
  name = var.name

  setting {
    name  = "containerInsights"
    value = var.container_insights ? "enabled" : "disabled"
  }
}

resource "aws_cloudwatch_log_group" "host" {
  #checkov:skip=CKV_AWS_158:Encrypted by CloudWatch's own key; docs/decisions/0020
  #checkov:skip=CKV_AWS_338:How long logs are kept is the operator's choice
  count = var.hosts == "none" ? 0 : 1

  name              = "${var.log_group_prefix}/host"
  retention_in_days = var.log_retention_days
}

resource "aws_instance" "single" {
  #checkov:skip=CKV_AWS_88:Its public address is its way out; what comes in is told by the security group
  #checkov:skip=CKV_AWS_126:Alarms look at five minutes at least
  #checkov:skip=CKV_AWS_135:t3 and t4g are EBS-optimised always
  count = var.hosts == "single_host" ? 1 : 0

  ami                         = local.ami_id
  instance_type               = var.instance_type
  subnet_id                   = var.subnet_ids[0]
  vpc_security_group_ids      = [var.security_group_id]
  iam_instance_profile        = aws_iam_instance_profile.host[0].name
  associate_public_ip_address = var.public_address
  user_data                   = local.user_data

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    encrypted   = true
    volume_type = "gp3"
    volume_size = var.disk_gb
  }

  tags        = local.host_tags
  volume_tags = { Name = "${var.name}-host" }

  lifecycle {
    # A newer image is no reason to replace the only host; `terraform apply -replace` is.
    ignore_changes = [ami, user_data]
  }

  # Booting, it needs its permissions.
  depends_on = [aws_iam_role_policy.host, aws_iam_role_policy_attachment.host]
}
