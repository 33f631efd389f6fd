data "aws_region" "current" {}

locals {
  port       = 8000
  is_fargate = var.launch_type == "FARGATE"
  has_swap   = !local.is_fargate && var.task.swap_mb > 0

  # Fargate knows no tmpfs and no swap. The shared volume keeps the prepared weights, which all tasks of a host map.
  writable = {
    "/tmp"             = local.is_fargate ? "temporary" : null
    "/var/lib/finbert" = "data"
  }

  container = {
    name                   = "app"
    image                  = var.image
    essential              = true
    cpu                    = local.is_fargate ? 0 : var.task.cpu
    memory                 = local.is_fargate ? null : var.task.memory_mb
    memoryReservation      = local.is_fargate ? null : var.task.reserved_mb
    user                   = "10001:10001"
    readonlyRootFilesystem = true
    # The server finishes what it began: 25 s at most for a request.
    stopTimeout = 60

    portMappings = [{
      containerPort = local.port
      hostPort      = local.is_fargate || var.fixed_port ? local.port : 0
      protocol      = "tcp"
    }]

    environment = [for name in sort(keys(var.environment_variables)) : { name = name, value = var.environment_variables[name] }]
    secrets     = [for name in sort(keys(var.secret_arns)) : { name = name, valueFrom = var.secret_arns[name] }]

    # Whether it lives, not whether it is ready: a database that is away would else end every task.
    healthCheck = {
      command = [
        "CMD", "python", "-c",
        "import urllib.request as r; r.urlopen('http://127.0.0.1:${local.port}/health', timeout=4)",
      ]
      interval    = 15
      timeout     = 5
      retries     = 3
      startPeriod = 120
    }

    linuxParameters = merge(
      {
        initProcessEnabled = true
        capabilities       = { drop = ["ALL"] }
      },
      local.has_swap ? { maxSwap = var.task.swap_mb } : {},
      local.is_fargate ? {} : {
        tmpfs = [{ containerPath = "/tmp", size = 128, mountOptions = ["rw", "noexec", "nosuid", "nodev"] }]
      },
    )

    ulimits = [{ name = "nofile", softLimit = 65536, hardLimit = 65536 }]

    mountPoints = [
      for path, volume in local.writable : { sourceVolume = volume, containerPath = path, readOnly = false } if volume != null
    ]

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.app.name
        awslogs-region        = data.aws_region.current.name
        awslogs-stream-prefix = "ecs"
        # A log that is slow to be taken must not hold up answers.
        mode            = "non-blocking"
        max-buffer-size = "4m"
      }
    }
  }
}

resource "aws_cloudwatch_log_group" "app" {
  #checkov:skip=CKV_AWS_158:Encrypted by CloudWatch's own key; docs/decisions/0020
  #checkov:skip=CKV_AWS_338:How long logs are kept is the operator's choice
  name              = "${var.log_group_prefix}/app"
  retention_in_days = var.log_retention_days
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  requires_compatibilities = [var.launch_type]
  network_mode             = local.is_fargate ? "awsvpc" : "bridge"
  cpu                      = local.is_fargate ? var.task.cpu : null
  memory                   = local.is_fargate ? var.task.memory_mb : null
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  container_definitions    = jsonencode([{ for key, value in local.container : key => value if value != null }])

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.is_arm ? "ARM64" : "X86_64"
  }

  dynamic "volume" {
    for_each = toset([for volume in values(local.writable) : volume if volume != null])

    content {
      name = volume.key

      dynamic "docker_volume_configuration" {
        for_each = local.is_fargate ? [] : [1]

        content {
          scope         = "shared"
          autoprovision = true
          driver        = "local"
        }
      }
    }
  }
}

resource "aws_ecs_service" "this" {
  #checkov:skip=CKV_AWS_333:Without a NAT gateway a public address is a Fargate task's way out; what comes in is told by its group
  name                  = var.name
  cluster               = var.cluster_id
  task_definition       = aws_ecs_task_definition.this.arn
  desired_count         = var.tasks
  launch_type           = var.capacity_provider == null ? var.launch_type : null
  propagate_tags        = "SERVICE"
  wait_for_steady_state = false

  # With a port of its own per task the new one is up before the old one goes.
  deployment_minimum_healthy_percent = var.fixed_port ? 0 : 100
  deployment_maximum_percent         = var.fixed_port ? 100 : 200
  health_check_grace_period_seconds  = var.target_group_arn == null ? null : 120

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  dynamic "capacity_provider_strategy" {
    for_each = var.capacity_provider == null ? [] : [var.capacity_provider]

    content {
      capacity_provider = capacity_provider_strategy.value
      weight            = 100
    }
  }

  dynamic "ordered_placement_strategy" {
    for_each = var.capacity_provider == null ? [] : ["attribute:ecs.availability-zone", "instanceId"]

    content {
      type  = "spread"
      field = ordered_placement_strategy.value
    }
  }

  dynamic "network_configuration" {
    for_each = local.is_fargate ? [1] : []

    content {
      subnets          = var.subnet_ids
      security_groups  = [var.security_group_id]
      assign_public_ip = var.public_address
    }
  }

  dynamic "load_balancer" {
    for_each = var.target_group_arn == null ? [] : [var.target_group_arn]

    content {
      target_group_arn = load_balancer.value
      container_name   = local.container.name
      container_port   = local.port
    }
  }

  dynamic "service_registries" {
    for_each = var.registry_arn == null ? [] : [var.registry_arn]

    content {
      registry_arn   = service_registries.value
      container_name = local.container.name
      container_port = local.port
    }
  }

  lifecycle {
    # Releases and autoscaling decide.
    ignore_changes = [task_definition, desired_count]
  }

  # A task that stops needs its permissions to the end.
  depends_on = [aws_iam_role_policy.task, aws_iam_role_policy.execution]
}
