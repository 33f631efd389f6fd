locals {
  fleet = var.hosts == "fleet" ? 1 : 0
}

resource "aws_launch_template" "host" {
  #checkov:skip=CKV_AWS_88:Its public address is its way out; what comes in is told by the security group
  count = local.fleet

  name                   = "${var.name}-host"
  image_id               = local.ami_id
  instance_type          = var.instance_type
  user_data              = base64encode(local.user_data)
  update_default_version = true

  iam_instance_profile {
    name = aws_iam_instance_profile.host[0].name
  }

  network_interfaces {
    associate_public_ip_address = var.public_address
    delete_on_termination       = true
    security_groups             = [var.security_group_id]
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      encrypted             = true
      volume_type           = "gp3"
      volume_size           = var.disk_gb
      delete_on_termination = true
    }
  }

  tag_specifications {
    resource_type = "volume"
    tags          = { Name = "${var.name}-host" }
  }
}

resource "aws_autoscaling_group" "fleet" {
  count = local.fleet

  name                  = "${var.name}-fleet"
  min_size              = var.fleet_size.min
  max_size              = var.fleet_size.max
  vpc_zone_identifier   = var.subnet_ids
  health_check_type     = "EC2"
  protect_from_scale_in = true
  # Hosts that the capacity provider protects would keep the group from being destroyed.
  force_delete = true

  launch_template {
    id      = aws_launch_template.host[0].id
    version = aws_launch_template.host[0].latest_version
  }

  dynamic "tag" {
    for_each = merge(local.host_tags, {
      Project          = "finbert-api"
      Environment      = var.environment
      AmazonECSManaged = ""
    })

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  lifecycle {
    # The capacity provider decides.
    ignore_changes = [desired_capacity]
  }

  depends_on = [aws_iam_role_policy.host, aws_iam_role_policy_attachment.host]
}

resource "aws_ecs_capacity_provider" "fleet" {
  count = local.fleet

  name = "${var.name}-fleet"

  auto_scaling_group_provider {
    auto_scaling_group_arn         = aws_autoscaling_group.fleet[0].arn
    managed_draining               = "ENABLED"
    managed_termination_protection = "ENABLED"

    managed_scaling {
      status                    = "ENABLED"
      target_capacity           = 90
      minimum_scaling_step_size = 1
      maximum_scaling_step_size = 2
      instance_warmup_period    = 120
    }
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  count = local.fleet

  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = [aws_ecs_capacity_provider.fleet[0].name]
}
