resource "aws_appautoscaling_target" "tasks" {
  service_namespace  = "ecs"
  resource_id        = "service/${var.cluster_name}/${var.service_name}"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = var.tasks.min
  max_capacity       = var.tasks.max
}

resource "aws_appautoscaling_policy" "cpu" {
  name               = "cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.tasks.service_namespace
  resource_id        = aws_appautoscaling_target.tasks.resource_id
  scalable_dimension = aws_appautoscaling_target.tasks.scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = var.cpu_percent
    scale_out_cooldown = 60
    scale_in_cooldown  = 300

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

resource "aws_appautoscaling_policy" "requests" {
  name               = "requests"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.tasks.service_namespace
  resource_id        = aws_appautoscaling_target.tasks.resource_id
  scalable_dimension = aws_appautoscaling_target.tasks.scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = var.requests_per_task
    scale_out_cooldown = 60
    scale_in_cooldown  = 300

    dynamic "predefined_metric_specification" {
      for_each = var.load_balancer_label == null ? [] : [var.load_balancer_label]

      content {
        predefined_metric_type = "ALBRequestCountPerTarget"
        resource_label         = predefined_metric_specification.value
      }
    }

    # Without a load balancer: the gateway's requests by the number of tasks, each of which sends its CPU once a minute.
    dynamic "customized_metric_specification" {
      for_each = var.load_balancer_label == null ? [1] : []

      content {
        metrics {
          id          = "per_task"
          label       = "Requests per task"
          expression  = "requests / tasks"
          return_data = true
        }

        metrics {
          id          = "requests"
          return_data = false

          metric_stat {
            stat = "Sum"

            metric {
              namespace   = "AWS/ApiGateway"
              metric_name = "Count"

              dimensions {
                name  = "ApiId"
                value = var.api_id
              }
            }
          }
        }

        metrics {
          id          = "tasks"
          return_data = false

          metric_stat {
            stat = "SampleCount"

            metric {
              namespace   = "AWS/ECS"
              metric_name = "CPUUtilization"

              dimensions {
                name  = "ClusterName"
                value = var.cluster_name
              }

              dimensions {
                name  = "ServiceName"
                value = var.service_name
              }
            }
          }
        }
      }
    }
  }
}
