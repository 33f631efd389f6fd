output "policy_names" {
  description = "Names of the policies."
  value       = [aws_appautoscaling_policy.cpu.name, aws_appautoscaling_policy.requests.name]
}
