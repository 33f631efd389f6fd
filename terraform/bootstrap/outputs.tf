output "backend_config" {
  description = "Where state lives: `terraform output -raw backend_config > ../environments/backend.hcl`, for `terraform init -backend-config`."
  value       = "bucket = \"${module.state_bucket.name}\"\nregion = \"${var.region}\"\n"
}

output "ecr_repository_url" {
  description = "Where images are pushed."
  value       = module.registry.url
}

output "roles" {
  description = "Roles that workflows assume."
  value       = module.github.roles
}
