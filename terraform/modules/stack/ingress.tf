locals {
  link                  = var.ingress == "vpc_link" ? 1 : 0
  discovery             = local.has_discovery ? 1 : 0
  client_address_header = "X-Client-Address"

  # Docker chooses among these for a task without a port of its own; a Fargate task has its own address.
  task_ports = local.is_fargate ? { from = 8000, to = 8000 } : { from = 32768, to = 65535 }

  target = (
    local.has_balancer ? module.load_balancer[0].listener_arn :
    local.has_discovery ? aws_service_discovery_service.app[0].arn :
    "http://${aws_eip.host[0].public_ip}:8000"
  )
}

module "gateway" {
  source = "../gateway"

  name                  = local.name
  target                = local.target
  vpc_link_id           = one(aws_apigatewayv2_vpc_link.this[*].id)
  client_address_header = local.client_address_header
  throttling            = { rate = var.throttling.rate, burst = var.throttling.burst }
  log_group_prefix      = local.log_group_prefix
  log_retention_days    = var.log_retention_days
}

# vpc_link: the gateway has a foot in the VPC, and its group is the only one that is let in.

resource "aws_security_group" "link" {
  count = local.link

  name        = "${local.name}-link"
  description = "The gateway inside the VPC"
  vpc_id      = module.network.vpc_id

  tags = { Name = "${local.name}-link" }
}

resource "aws_vpc_security_group_egress_rule" "link" {
  count = local.link

  security_group_id = aws_security_group.link[0].id
  description       = "Load balancer or tasks"
  cidr_ipv4         = var.network.cidr
  ip_protocol       = "tcp"
  from_port         = local.has_balancer ? 80 : local.task_ports.from
  to_port           = local.has_balancer ? 80 : local.task_ports.to
}

resource "aws_apigatewayv2_vpc_link" "this" {
  count = local.link

  name               = local.name
  subnet_ids         = module.network.private_subnet_ids
  security_group_ids = [aws_security_group.link[0].id]
}

# Cloud Map: ECS enters each task that is healthy with its address and port, and the gateway picks one.

resource "aws_service_discovery_private_dns_namespace" "this" {
  count = local.discovery

  name        = "${local.name}.internal"
  description = "Tasks of ${local.name}"
  vpc         = module.network.vpc_id
}

resource "aws_service_discovery_service" "app" {
  count = local.discovery

  name          = "app"
  force_destroy = true

  dns_config {
    namespace_id   = aws_service_discovery_private_dns_namespace.this[0].id
    routing_policy = "MULTIVALUE"

    dns_records {
      type = "SRV"
      ttl  = 10
    }
  }

  health_check_custom_config {
    failure_threshold = 1
  }
}

resource "aws_vpc_security_group_ingress_rule" "link" {
  count = local.discovery

  security_group_id            = aws_security_group.app.id
  description                  = "Tasks, from the gateway"
  referenced_security_group_id = aws_security_group.link[0].id
  ip_protocol                  = "tcp"
  from_port                    = local.task_ports.from
  to_port                      = local.task_ports.to
}

module "load_balancer" {
  source = "../load_balancer"
  count  = local.has_balancer ? 1 : 0

  name                     = local.name
  vpc_id                   = module.network.vpc_id
  subnet_ids               = module.network.private_subnet_ids
  client_security_group_id = aws_security_group.link[0].id
  app_security_group_id    = aws_security_group.app.id
  task_ports               = local.task_ports
  target_type              = local.is_fargate ? "ip" : "instance"
  protected                = var.database.protected
  client_address_header    = local.client_address_header
  requests_per_client      = var.throttling.requests_per_client
}

# elastic_ip: the plain way. Whoever knows the address goes past the gateway, its TLS, throttling and log.

resource "aws_eip" "host" {
  count = var.ingress == "elastic_ip" ? 1 : 0

  domain   = "vpc"
  instance = module.cluster.instance_id

  tags = { Name = "${local.name}-host" }
}

resource "aws_vpc_security_group_ingress_rule" "internet" {
  #checkov:skip=CKV_AWS_260:Port 8000, not 80; the declared weakness of this ingress
  count = var.ingress == "elastic_ip" ? 1 : 0

  security_group_id = aws_security_group.app.id
  description       = "The service, from the gateway and whoever else knows the address"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 8000
  to_port           = 8000
}
