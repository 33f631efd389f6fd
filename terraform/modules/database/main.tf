locals {
  port = 5432

  parameters = {
    "rds.force_ssl" = "1"
    # Errors without their DETAIL, which would hold parameters: the texts of the service's users.
    log_error_verbosity        = "terse"
    log_statement              = "ddl"
    log_min_duration_statement = "1000"
    log_connections            = "1"
    log_disconnections         = "1"
    log_lock_waits             = "1"
  }
}

resource "aws_security_group" "this" {
  name        = "${var.name}-database"
  description = "PostgreSQL"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-database" }
}

resource "aws_vpc_security_group_ingress_rule" "client" {
  security_group_id            = aws_security_group.this.id
  description                  = "PostgreSQL from the service alone"
  referenced_security_group_id = var.client_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_vpc_security_group_egress_rule" "client" {
  security_group_id            = var.client_security_group_id
  description                  = "PostgreSQL"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_db_subnet_group" "this" {
  name        = var.name
  description = "Private subnets of ${var.name}"
  subnet_ids  = var.subnet_ids
}

resource "aws_db_parameter_group" "this" {
  name        = "${var.name}-postgres16"
  description = "TLS alone, and no texts in the log"
  family      = "postgres16"

  dynamic "parameter" {
    for_each = local.parameters

    content {
      name  = parameter.key
      value = parameter.value
    }
  }
}

# Made before the instance, which would make it without an end to what it keeps.
resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:Encrypted by CloudWatch's own key; docs/decisions/0020
  #checkov:skip=CKV_AWS_338:How long logs are kept is the operator's choice
  name              = "/aws/rds/instance/${var.name}/postgresql"
  retention_in_days = var.log_retention_days
}

resource "aws_db_instance" "this" {
  #checkov:skip=CKV2_AWS_69:rds.force_ssl is set in the parameter group, which checkov does not read through its dynamic block
  #checkov:skip=CKV_AWS_133:A variable, which must be one day at least
  #checkov:skip=CKV_AWS_118:CloudWatch's own metrics of the instance are enough for its alarms; enhanced ones are billed by the gigabyte
  #checkov:skip=CKV_AWS_157:A second instance doubles the price; prod has it, dev does not
  #checkov:skip=CKV_AWS_161:The service reads one DATABASE_URL; a token that ends after 15 minutes does not fit into it
  #checkov:skip=CKV_AWS_293:A variable; prod has it
  #checkov:skip=CKV_AWS_353:Performance Insights ends in 2026; slow statements are in the log
  identifier     = var.name
  engine         = "postgres"
  engine_version = "16"
  instance_class = var.instance_class

  db_name             = "finbert"
  username            = "finbert"
  password_wo         = var.password
  password_wo_version = var.password_version
  port                = local.port

  allocated_storage     = var.storage_gb.initial
  max_allocated_storage = var.storage_gb.most
  storage_type          = "gp3"
  storage_encrypted     = true

  db_subnet_group_name   = aws_db_subnet_group.this.name
  parameter_group_name   = aws_db_parameter_group.this.name
  vpc_security_group_ids = [aws_security_group.this.id]
  publicly_accessible    = false
  multi_az               = var.multi_az

  backup_retention_period    = var.backup_days
  backup_window              = "02:00-03:00"
  maintenance_window         = "sun:03:30-sun:04:30"
  auto_minor_version_upgrade = true
  copy_tags_to_snapshot      = true
  deletion_protection        = var.protected
  delete_automated_backups   = !var.protected
  skip_final_snapshot        = !var.protected
  final_snapshot_identifier  = var.protected ? "${var.name}-last" : null

  enabled_cloudwatch_logs_exports = ["postgresql"]

  depends_on = [aws_cloudwatch_log_group.this]
}
