# What modules hold by themselves.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "images_are_immutable_and_scanned" {
  module {
    source = "./modules/registry"
  }

  variables {
    name        = "finbert-api"
    images_kept = 30
    deletable   = false
  }

  assert {
    condition     = aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE" && aws_ecr_repository.this.image_scanning_configuration[0].scan_on_push
    error_message = "Tags must be immutable and images scanned."
  }
}

run "refuses_to_keep_too_few_images" {
  command = plan

  module {
    source = "./modules/registry"
  }

  variables {
    name        = "Finbert API"
    images_kept = 1
    deletable   = false
  }

  expect_failures = [var.name, var.images_kept]
}

run "models_keep_their_versions" {
  module {
    source = "./modules/bucket"
  }

  variables {
    name                 = "finbert-api-dev-models-123456789012"
    old_versions_days    = 180
    archive_old_versions = true
    deletable            = false
  }

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "Versioning must be on."
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.this.rule[0].noncurrent_version_expiration[0].noncurrent_days == 180
    error_message = "Old versions must end some day."
  }
}

run "refuses_names_and_times_that_s3_does_not_know" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  variables {
    name                 = "My Models"
    old_versions_days    = 30
    archive_old_versions = true
    deletable            = false
  }

  expect_failures = [var.name, var.archive_old_versions]
}

run "hosts_are_closed" {
  module {
    source = "./modules/cluster"
  }

  variables {
    name               = "finbert-api-dev"
    environment        = "dev"
    hosts              = "single_host"
    container_insights = true
    subnet_ids         = ["subnet-1"]
    public_address     = true
    security_group_id  = "sg-1"
    instance_type      = "t3.small"
    ami_id             = null
    disk_gb            = 30
    fleet_size         = { min = 2, max = 5 }
    log_group_prefix   = "/finbert-api/dev"
    log_retention_days = 14
    host_bucket_arn    = "arn:aws:s3:::finbert-api-dev-hosts"
    configuration      = { region = "eu-central-1", cluster_name = "finbert-api-dev", ssm_bucket = "finbert-api-dev-hosts" }
    configure_at_boot  = true
  }

  assert {
    condition     = aws_instance.single[0].metadata_options[0].http_tokens == "required" && aws_instance.single[0].metadata_options[0].http_put_response_hop_limit == 1
    error_message = "Tasks must not reach the host's credentials."
  }

  assert {
    condition     = aws_instance.single[0].root_block_device[0].encrypted
    error_message = "The disk must be encrypted."
  }
}

run "refuses_hosts_that_can_not_be" {
  command = plan

  module {
    source = "./modules/cluster"
  }

  variables {
    name               = "X"
    environment        = "dev"
    hosts              = "many"
    container_insights = true
    subnet_ids         = []
    public_address     = true
    security_group_id  = "sg-1"
    instance_type      = "large"
    ami_id             = "latest"
    disk_gb            = 8
    fleet_size         = { min = 1, max = 5 }
    log_group_prefix   = "/finbert-api/dev"
    log_retention_days = 14
    host_bucket_arn    = "arn:aws:s3:::finbert-api-dev-hosts"
    configuration      = {}
    configure_at_boot  = true
  }

  expect_failures = [
    var.name, var.hosts, var.subnet_ids, var.instance_type, var.ami_id, var.disk_gb, var.fleet_size, var.configuration,
  ]
}

run "refuses_a_database_that_can_not_be_restored" {
  command = plan

  module {
    source = "./modules/database"
  }

  variables {
    name                     = "finbert-api-dev"
    vpc_id                   = "vpc-1"
    subnet_ids               = ["subnet-1"]
    client_security_group_id = "sg-1"
    instance_class           = "t4g.micro"
    storage_gb               = { initial = 5, most = 5 }
    multi_az                 = false
    backup_days              = 0
    protected                = true
    password                 = "short"
    password_version         = 0
    log_retention_days       = 13
  }

  expect_failures = [
    var.subnet_ids, var.instance_class, var.storage_gb, var.backup_days, var.password, var.password_version,
    var.log_retention_days,
  ]
}

run "refuses_headers_that_the_gateway_keeps" {
  command = plan

  module {
    source = "./modules/gateway"
  }

  variables {
    name                  = "finbert-api-dev"
    target                = "http://192.0.2.1:8000"
    vpc_link_id           = null
    client_address_header = "X-Forwarded-For"
    throttling            = { rate = 0, burst = 0 }
    log_group_prefix      = "/finbert-api/dev"
    log_retention_days    = 14
  }

  expect_failures = [var.client_address_header, var.throttling]
}
