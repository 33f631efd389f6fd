output "topic_arn" {
  description = "The topic that alarms tell."
  value       = module.alerts.topic_arn
}

output "dashboard_name" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
