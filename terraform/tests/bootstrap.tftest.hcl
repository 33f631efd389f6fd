# What bootstrap makes and refuses, without an account.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "roles_are_bound_to_their_environment" {
  module {
    source = "./bootstrap"
  }

  variables {
    github_repository = "acme/finbert-api"
  }

  assert {
    condition     = toset(keys(output.roles)) == toset(["dev-deploy", "dev-terraform", "plan", "prod-deploy", "prod-terraform"])
    error_message = "Each environment has a role to deploy and one to apply; plans have one."
  }

  assert {
    condition     = startswith(output.backend_config, "bucket = ")
    error_message = "The backend's configuration names the bucket."
  }
}

run "refuses_wildcards" {
  command = plan

  module {
    source = "./bootstrap"
  }

  variables {
    github_repository = "acme/*"
    environments      = []
    region            = "Frankfurt"
  }

  expect_failures = [var.github_repository, var.environments, var.region]
}
