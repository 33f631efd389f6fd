output "parameter_arns" {
  description = "The parameters by the setting that they hold."
  value = {
    DATABASE_URL = aws_ssm_parameter.database_url.arn
    API_KEY      = aws_ssm_parameter.api_key.arn
    JWT_SECRET   = aws_ssm_parameter.jwt_secret.arn
  }
}
