output "ansible_vars" {
  description = "What Ansible takes: `terraform output -json ansible_vars`."
  value       = module.stack.ansible_vars
}

output "deploy" {
  description = "What `finbert deploy` takes: `terraform output -json deploy`."
  value       = module.stack.deploy
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard."
  value       = module.stack.dashboard_name
}

output "model_bucket" {
  description = "Where models are kept by version."
  value       = module.stack.model_bucket
}
