# Each is made in memory, written to where it is needed, and kept in neither plan nor state. A plan makes it too, and
# forgets it: it is written only when it is new or its version rises. Without punctuation it can stand in a URL.
ephemeral "aws_secretsmanager_random_password" "database" {
  password_length     = var.length
  exclude_punctuation = true
}

ephemeral "aws_secretsmanager_random_password" "api_key" {
  password_length     = var.length
  exclude_punctuation = true
}

ephemeral "aws_secretsmanager_random_password" "jwt" {
  password_length     = var.length
  exclude_punctuation = true
}
