output "arn" {
  description = "The repository, for policies."
  value       = aws_ecr_repository.this.arn
}

output "url" {
  description = "The repository, for docker push."
  value       = aws_ecr_repository.this.repository_url
}
