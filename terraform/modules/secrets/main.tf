locals {
  # TLS is what the server demands; verify-full would need its certificate authority in the image.
  database_url = format(
    "postgresql://%s:%s@%s:%d/%s?sslmode=require",
    var.database.username, var.secrets.database, var.database.host, var.database.port, var.database.name,
  )
}

resource "aws_ssm_parameter" "database_url" {
  #checkov:skip=CKV_AWS_337:Encrypted with the account's own key for parameters; docs/decisions/0020
  name             = "${var.prefix}/DATABASE_URL"
  description      = "The service's setting DATABASE_URL"
  type             = "SecureString"
  value_wo         = local.database_url
  value_wo_version = var.versions.database
}

resource "aws_ssm_parameter" "api_key" {
  #checkov:skip=CKV_AWS_337:Encrypted with the account's own key for parameters; docs/decisions/0020
  name             = "${var.prefix}/API_KEY"
  description      = "The service's setting API_KEY"
  type             = "SecureString"
  value_wo         = var.secrets.api_key
  value_wo_version = var.versions.api_key
}

resource "aws_ssm_parameter" "jwt_secret" {
  #checkov:skip=CKV_AWS_337:Encrypted with the account's own key for parameters; docs/decisions/0020
  name             = "${var.prefix}/JWT_SECRET"
  description      = "The service's setting JWT_SECRET"
  type             = "SecureString"
  value_wo         = var.secrets.jwt
  value_wo_version = var.versions.jwt
}
