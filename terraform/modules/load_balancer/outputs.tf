output "listener_arn" {
  description = "Where the gateway sends requests."
  value       = aws_lb_listener.http.arn
}

output "target_group_arn" {
  description = "Where tasks are registered."
  value       = aws_lb_target_group.tasks.arn

  # A service can only name a group that a listener uses.
  depends_on = [aws_lb_listener.http]
}

output "dimensions" {
  description = "By which metrics of the targets are found."
  value = {
    LoadBalancer = aws_lb.this.arn_suffix
    TargetGroup  = aws_lb_target_group.tasks.arn_suffix
  }
}

output "label" {
  description = "How autoscaling names load balancer and target group."
  value       = "${aws_lb.this.arn_suffix}/${aws_lb_target_group.tasks.arn_suffix}"
}
