output "name" {
  description = "Name of the service."
  value       = aws_ecs_service.this.name
}

output "family" {
  description = "Family of the task definitions."
  value       = aws_ecs_task_definition.this.family
}

output "log_group" {
  description = "Log group of the service."
  value       = aws_cloudwatch_log_group.app.name
}
