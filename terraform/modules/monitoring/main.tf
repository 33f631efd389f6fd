locals {
  service   = { ClusterName = var.cluster_name, ServiceName = var.service_name }
  has_hosts = var.host_dimensions != null

  # Names of the service's metrics, as finbert_api/observability/cloudwatch.py sends them; a test compares.
  app_alarms = {
    error-rate = {
      description = "More than 10 % of the requests failed for 5 minutes"
      namespace   = var.metrics_namespace, metric = "error_rate", dimensions = {}, statistic = "Average"
      above       = 10, period = 60, periods = 5
    }
    latency-p99 = {
      description = "One prediction in a hundred took more than 3 s for 5 minutes"
      namespace   = var.metrics_namespace, metric = "prediction_latency_p99", dimensions = {}, statistic = "p99"
      above       = 3000, period = 60, periods = 5
    }
    database-writes = {
      description = "A prediction was answered and could not be stored"
      namespace   = var.metrics_namespace, metric = "db_write_failures", dimensions = {}, statistic = "Sum"
      above       = 0, period = 60, periods = 1
    }
  }

  # The agent on hosts sends each metric once more without all other dimensions: of the host, and of the fleet.
  host_alarms = !local.has_hosts ? {} : {
    host-cpu = {
      description = "CPU above 90 % for 10 minutes"
      namespace   = "AWS/EC2", metric = "CPUUtilization", dimensions = var.host_dimensions, statistic = "Average"
      above       = 90, period = 300, periods = 2
    }
    host-memory = {
      description = "Memory above 90 % for 10 minutes"
      namespace   = "CWAgent", metric = "mem_used_percent", dimensions = var.host_dimensions, statistic = "Maximum"
      above       = 90, period = 300, periods = 2
    }
    host-disk = {
      description = "Disk above 85 %"
      namespace   = "CWAgent", metric = "disk_used_percent", dimensions = var.host_dimensions, statistic = "Maximum"
      above       = 85, period = 300, periods = 1
    }
  }

  fargate_alarms = local.has_hosts ? {} : {
    task-cpu = {
      description = "CPU of the tasks above 90 % for 10 minutes"
      namespace   = "AWS/ECS", metric = "CPUUtilization", dimensions = local.service, statistic = "Average"
      above       = 90, period = 300, periods = 2
    }
  }

  balancer_alarms = var.balancer_dimensions == null ? {} : {
    unhealthy-task = {
      description = "A task does not answer the load balancer"
      namespace   = "AWS/ApplicationELB", metric = "UnHealthyHostCount", dimensions = var.balancer_dimensions, statistic = "Maximum"
      above       = 0, period = 60, periods = 3
    }
  }

  database_alarms = {
    database-connections = {
      description = "More than ${var.database.most_connections} connections to PostgreSQL"
      namespace   = "AWS/RDS", metric = "DatabaseConnections", statistic = "Maximum"
      dimensions  = { DBInstanceIdentifier = var.database.identifier }
      above       = var.database.most_connections, period = 300, periods = 1
    }
  }

  alarms = merge(
    local.app_alarms, local.host_alarms, local.fargate_alarms, local.balancer_alarms, local.database_alarms,
  )
}

module "alerts" {
  source = "../alerts"

  name   = var.name
  emails = var.emails
}

resource "aws_cloudwatch_metric_alarm" "above" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = startswith(each.value.statistic, "p") ? null : each.value.statistic
  extended_statistic  = startswith(each.value.statistic, "p") ? each.value.statistic : null
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  period              = each.value.period
  evaluation_periods  = each.value.periods
  # Silence is no failure here; that nothing runs is told by the alarm below.
  treat_missing_data = "notBreaching"
  alarm_actions      = [module.alerts.topic_arn]
  ok_actions         = [module.alerts.topic_arn]
}

# Each running task, whose health check passes, sends its CPU once a minute: how many did is how many run. ECS ends a task
# that is unhealthy, so that one is missing too.
resource "aws_cloudwatch_metric_alarm" "missing_task" {
  alarm_name          = "${var.name}-missing-task"
  alarm_description   = "Fewer than ${var.tasks} tasks run"
  namespace           = "AWS/ECS"
  metric_name         = "CPUUtilization"
  dimensions          = local.service
  statistic           = "SampleCount"
  comparison_operator = "LessThanThreshold"
  threshold           = var.tasks
  period              = 60
  evaluation_periods  = 5
  treat_missing_data  = "breaching"
  alarm_actions       = [module.alerts.topic_arn]
  ok_actions          = [module.alerts.topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "database_storage" {
  alarm_name          = "${var.name}-database-storage"
  alarm_description   = "Less than a tenth of the database's storage is free: it did not grow, or can't any more"
  namespace           = "AWS/RDS"
  metric_name         = "FreeStorageSpace"
  dimensions          = { DBInstanceIdentifier = var.database.identifier }
  statistic           = "Minimum"
  comparison_operator = "LessThanThreshold"
  threshold           = var.database.storage_gb * pow(1024, 3) / 10
  period              = 300
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [module.alerts.topic_arn]
  ok_actions          = [module.alerts.topic_arn]
}
