data "aws_region" "current" {}

locals {
  database_dimensions = ["DBInstanceIdentifier", var.database.identifier]
  host_pairs          = flatten([for key, value in coalesce(var.host_dimensions, {}) : [key, value]])

  app_cpu = {
    true  = concat(["AWS/EC2", "CPUUtilization"], local.host_pairs, [{ label = "EC2" }])
    false = ["AWS/ECS", "CPUUtilization", "ClusterName", var.cluster_name, "ServiceName", var.service_name, { label = "Tasks" }]
  }[local.has_hosts]

  # Each chart: its title, the statistic, and the metrics as CloudWatch writes them.
  charts = concat(
    [
      {
        title = "Predictions by label", stat = "Sum", metrics = [
          for label in ["positive", "negative", "neutral"] : [var.metrics_namespace, "prediction_count", "label", label]
        ]
      },
      { title = "Prediction latency, p99 (ms)", stat = "p99", metrics = [[var.metrics_namespace, "prediction_latency_p99"]] },
      { title = "Database write failures", stat = "Sum", metrics = [[var.metrics_namespace, "db_write_failures"]] },
      {
        title = "Responses by class", stat = "Sum", metrics = [
          [{ expression = "all - m4 - m5", label = "2xx", id = "m2" }],
          ["AWS/ApiGateway", "4xx", "ApiId", var.api_id, { id = "m4", label = "4xx" }],
          ["AWS/ApiGateway", "5xx", "ApiId", var.api_id, { id = "m5", label = "5xx" }],
          ["AWS/ApiGateway", "Count", "ApiId", var.api_id, { id = "all", visible = false }],
        ]
      },
      {
        title = "Latency at the gateway (ms)", stat = "p99", metrics = [
          ["AWS/ApiGateway", "Latency", "ApiId", var.api_id, { stat = "p50", label = "p50" }],
          ["AWS/ApiGateway", "Latency", "ApiId", var.api_id, { stat = "p99", label = "p99" }],
        ]
      },
      { title = "Errors (%)", stat = "Average", metrics = [[var.metrics_namespace, "error_rate"]] },
      {
        title = "CPU (%)", stat = "Average", metrics = concat(
          [local.app_cpu],
          [concat(["AWS/RDS", "CPUUtilization"], local.database_dimensions, [{ label = "RDS" }])],
        )
      },
    ],
    [
      for title, metric in { "Memory (%)" = "mem_used_percent", "Disk (%)" = "disk_used_percent", "Swap (%)" = "swap_used_percent" } :
      { title = title, stat = "Maximum", metrics = [concat(["CWAgent", metric], local.host_pairs)] }
      if local.has_hosts
    ],
    [
      { title = "Free storage of the database (bytes)", stat = "Minimum", metrics = [concat(["AWS/RDS", "FreeStorageSpace"], local.database_dimensions)] },
      { title = "Connections to the database", stat = "Maximum", metrics = [concat(["AWS/RDS", "DatabaseConnections"], local.database_dimensions)] },
      {
        title = "Running tasks", stat = "SampleCount", metrics = [
          ["AWS/ECS", "CPUUtilization", "ClusterName", var.cluster_name, "ServiceName", var.service_name]
        ]
      },
    ],
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.dashboard_name
  dashboard_body = jsonencode({
    widgets = [
      for index, chart in local.charts : {
        type   = "metric"
        x      = index % 3 * 8
        y      = floor(index / 3) * 6
        width  = 8
        height = 6
        properties = {
          title   = chart.title
          region  = data.aws_region.current.name
          view    = "timeSeries"
          period  = 60
          stat    = chart.stat
          metrics = chart.metrics
        }
      }
    ]
  })
}
