resource "aws_security_group" "this" {
  name        = "${var.name}-balancer"
  description = "Internal load balancer"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-balancer" }
}

resource "aws_vpc_security_group_ingress_rule" "gateway" {
  #checkov:skip=CKV_AWS_260:It lets in one security group, no address
  security_group_id            = aws_security_group.this.id
  description                  = "The gateway's VPC link alone"
  referenced_security_group_id = var.client_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 80
  to_port                      = 80
}

resource "aws_vpc_security_group_egress_rule" "tasks" {
  security_group_id            = aws_security_group.this.id
  description                  = "Tasks"
  referenced_security_group_id = var.app_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = var.task_ports.from
  to_port                      = var.task_ports.to
}

resource "aws_vpc_security_group_ingress_rule" "tasks" {
  security_group_id            = var.app_security_group_id
  description                  = "Tasks, from the load balancer"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = var.task_ports.from
  to_port                      = var.task_ports.to
}

resource "aws_lb" "this" {
  #checkov:skip=CKV2_AWS_20:TLS ends at the gateway; from there it is our own network
  #checkov:skip=CKV_AWS_91:The gateway in front logs every request
  #checkov:skip=CKV_AWS_150:A variable; prod has it
  name                       = var.name
  internal                   = true
  load_balancer_type         = "application"
  subnets                    = var.subnet_ids
  security_groups            = [aws_security_group.this.id]
  drop_invalid_header_fields = true
  enable_deletion_protection = var.protected
  # Longer than the gateway waits, so that it is the gateway that ends a connection.
  idle_timeout = 60
}

resource "aws_lb_target_group" "tasks" {
  #checkov:skip=CKV_AWS_378:TLS ends at the gateway; from there it is our own network
  # The type is part of the name: a group can't change it, and the new one must be there before the old one goes.
  name                          = "${var.name}-${var.target_type}"
  port                          = 8000
  protocol                      = "HTTP"
  target_type                   = var.target_type
  vpc_id                        = var.vpc_id
  load_balancing_algorithm_type = "least_outstanding_requests"
  # A request ends after 25 s at most.
  deregistration_delay = 30

  # Whether it lives, not whether it is ready: ECS ends what is unhealthy here, and a database that is away would end all.
  health_check {
    path                = "/health"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_listener" "http" {
  #checkov:skip=CKV_AWS_2:TLS ends at the gateway; from there it is our own network
  #checkov:skip=CKV_AWS_103:As above
  #checkov:skip=CKV2_AWS_20:As above
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.tasks.arn
  }
}
