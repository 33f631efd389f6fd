output "database" {
  description = "Password of the database, in memory alone."
  value       = ephemeral.aws_secretsmanager_random_password.database.random_password
  ephemeral   = true
  sensitive   = true
}

output "api_key" {
  description = "The bootstrap admin key, in memory alone."
  value       = ephemeral.aws_secretsmanager_random_password.api_key.random_password
  ephemeral   = true
  sensitive   = true
}

output "jwt" {
  description = "What signs tokens, in memory alone."
  value       = ephemeral.aws_secretsmanager_random_password.jwt.random_password
  ephemeral   = true
  sensitive   = true
}
