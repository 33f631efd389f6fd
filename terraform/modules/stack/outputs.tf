output "ansible_vars" {
  description = "What Ansible takes: `terraform output -json ansible_vars`."
  value       = local.ansible_vars
}

output "deploy" {
  description = "What `finbert deploy` takes; also in the SSM parameter /finbert-api/<environment>/deploy."
  value       = local.deploy
}

output "dashboard_name" {
  description = "Name of the dashboard."
  value       = module.monitoring.dashboard_name
}

output "model_bucket" {
  description = "Where models are kept by version."
  value       = module.model_bucket.name
}
