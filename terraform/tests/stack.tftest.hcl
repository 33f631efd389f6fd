# The stack's choices, without an account: what each makes, and what is refused.

mock_provider "aws" {
  source = "./tests/mocks"
}

mock_provider "aws" {
  alias  = "us_east_1"
  source = "./tests/mocks"
}

variables {
  environment = "dev"
  playbooks   = "/srv/playbooks"
  secrets = {
    database = "the0database0password0of0the0tests"
    api_key  = "the0bootstrap0key0of0the0tests0alone"
    jwt      = "what0signs0the0tokens0of0the0tests0alone"
  }
}

run "plain_host_by_default" {
  module {
    source = "./modules/stack"
  }

  assert {
    condition     = length(aws_apigatewayv2_vpc_link.this) == 1 && length(aws_eip.host) == 0
    error_message = "By default the gateway must reach the host through the VPC link."
  }

  assert {
    condition     = length(module.autoscaling) == 0 && length(module.load_balancer) == 0
    error_message = "A single host needs neither autoscaling nor a load balancer."
  }

  assert {
    condition     = output.ansible_vars.tags == { Project = "finbert-api", Environment = "dev", Role = "ecs-host" }
    error_message = "Ansible's inventory finds hosts by these tags."
  }
}

run "elastic_ip_has_its_address_and_no_link" {
  module {
    source = "./modules/stack"
  }

  variables {
    ingress = "elastic_ip"
  }

  assert {
    condition     = length(aws_eip.host) == 1 && length(aws_apigatewayv2_vpc_link.this) == 0
    error_message = "elastic_ip must give the host an address and make no VPC link."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.internet[0].from_port == 8000 && aws_vpc_security_group_ingress_rule.internet[0].to_port == 8000
    error_message = "elastic_ip must open port 8000 and no other."
  }
}

run "fleet_has_a_firewall_where_a_load_balancer_stands" {
  module {
    source = "./modules/stack"
  }

  variables {
    capacity = "fleet"
    egress   = "nat_gateway"
  }

  assert {
    condition     = length(module.load_balancer) == 1 && length(module.autoscaling) == 1 && length(aws_service_discovery_service.app) == 0
    error_message = "A fleet must have autoscaling, and by default a load balancer in place of Cloud Map."
  }
}

run "production_names_the_dashboard_plainly" {
  module {
    source = "./modules/stack"
  }

  variables {
    environment = "prod"
    alerts      = { emails = ["ops@example.com"], slack = { team_id = "T0123", channel_id = "C0123" } }
  }

  assert {
    condition     = output.dashboard_name == "finbert-api-dashboard"
    error_message = "prod's dashboard has no suffix."
  }
}

run "refuses_unknown_words" {
  command = plan

  module {
    source = "./modules/stack"
  }

  variables {
    environment = "Prod!"
    capacity    = "two"
    launch_type = "LAMBDA"
    balancer    = "nginx"
    egress      = "pigeon"
    playbooks   = "../ansible"
  }

  expect_failures = [
    var.environment, var.capacity, var.launch_type, var.balancer, var.egress, var.playbooks,
  ]
}

run "refuses_an_unknown_ingress" {
  command = plan

  module {
    source = "./modules/stack"
  }

  variables {
    ingress = "ssh"
  }

  expect_failures = [var.ingress]
}

run "refuses_an_elastic_ip_before_a_fleet" {
  command = plan

  module {
    source = "./modules/stack"
  }

  variables {
    ingress  = "elastic_ip"
    capacity = "fleet"
  }

  expect_failures = [var.ingress]
}

run "refuses_an_elastic_ip_before_fargate" {
  command = plan

  module {
    source = "./modules/stack"
  }

  variables {
    ingress     = "elastic_ip"
    launch_type = "FARGATE"
    task        = { cpu = 1024, memory_mb = 2048 }
  }

  expect_failures = [var.ingress]
}

run "refuses_sizes_that_can_not_be" {
  command = plan

  module {
    source = "./modules/stack"
  }

  variables {
    hosts              = { instance_type = "p5.48xlarge" }
    tasks              = { min = 1, max = 20 }
    database           = { backup_days = 0 }
    throttling         = { rate = 0 }
    secret_versions    = { api_key = 0 }
    log_retention_days = 13
  }

  expect_failures = [
    var.hosts, var.tasks, var.database, var.throttling, var.secret_versions, var.log_retention_days,
  ]
}

run "refuses_swap_that_the_host_has_not" {
  command = plan

  module {
    source = "./modules/stack"
  }

  variables {
    task = { swap_mb = 4096 }
  }

  expect_failures = [var.task]
}

run "refuses_images_without_a_digest_and_secrets_in_plain_settings" {
  command = plan

  module {
    source = "./modules/stack"
  }

  variables {
    image    = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/finbert-api:latest"
    settings = { API_KEY = "in-plain-sight" }
    alerts   = { emails = ["nobody"] }
    network  = { cidr = "everywhere" }
  }

  expect_failures = [var.image, var.settings, var.alerts, var.network]
}
