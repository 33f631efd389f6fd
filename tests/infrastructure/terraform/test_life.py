"""Bootstrap and the dev environment, applied by the real provider: no drift, outputs, lock, and nothing left."""

import json

from infrastructure.terraform.life import REPOSITORY

from finbert_api.settings import settings_from_environment


def test_second_plan_is_empty(stage):
    assert "No changes. Your infrastructure matches the configuration." in stage.second_plan


def test_state_is_locked_while_an_apply_waits(life):
    assert "Error acquiring the state lock" in life.refused_by_lock


def test_destroy_leaves_nothing(life):
    assert life.remains_of_environment == []
    assert life.remains == []


def test_outputs_feed_ansible_and_deploy(stage):
    assert stage.outputs["ansible_vars"] == {
        "region": "eu-central-1",
        "environment": "dev",
        "cluster_name": "finbert-api-dev",
        "swap_size_mb": 2048,
        "log_group_prefix": "/finbert-api/dev",
        "ssm_bucket": "finbert-api-dev-hosts-123456789012",
        "tags": {"Project": "finbert-api", "Environment": "dev", "Role": "ecs-host"},
    }
    assert stage.outputs["deploy"] == {
        "base_url": stage.aws["api"]["ApiEndpoint"],
        "cluster": "finbert-api-dev",
        "service": "finbert-api-dev",
        "task_family": "finbert-api-dev",
        "ecr_repository_url": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/finbert-api",
    }


def test_pipeline_finds_the_same_in_a_parameter(stage):
    assert json.loads(stage.aws["secrets"]["/finbert-api/dev/deploy"]["Value"]) == stage.outputs["deploy"]


def test_bootstrap_says_where_state_lives(life):
    assert (
        life.bootstrap["backend_config"] == 'bucket = "finbert-api-terraform-123456789012"\nregion = "eu-central-1"\n'
    )


def test_roles_are_bound_to_repository_and_environment(life):
    bound = {}
    for name, role in life.roles.items():
        if not name.startswith("finbert-api"):
            continue
        [statement] = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
        condition = statement["Condition"]["StringEquals"]
        assert condition["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
        bound[name] = condition["token.actions.githubusercontent.com:sub"]
    assert bound == {
        "finbert-api-dev-deploy": f"repo:{REPOSITORY}:environment:dev",
        "finbert-api-dev-terraform": f"repo:{REPOSITORY}:environment:dev",
        "finbert-api-prod-deploy": f"repo:{REPOSITORY}:environment:prod",
        "finbert-api-prod-terraform": f"repo:{REPOSITORY}:environment:prod",
        "finbert-api-plan": f"repo:{REPOSITORY}:pull_request",
    }


def test_secrets_are_random_and_in_neither_plan_nor_state(stage):
    secrets = {
        name.rsplit("/", 1)[1]: each["Value"]
        for name, each in stage.aws["secrets"].items()
        if each["Type"] == "SecureString"
    }
    assert set(secrets) == {"DATABASE_URL", "API_KEY", "JWT_SECRET"}
    password = secrets["DATABASE_URL"].split(":")[2].split("@")[0]
    hidden = {password, secrets["API_KEY"], secrets["JWT_SECRET"]}
    assert len(hidden) == 3
    assert all(len(each) == 48 for each in hidden)
    for each in hidden:
        for written in (stage.plan, stage.applied, stage.second_plan, stage.state):
            assert each not in written


def test_database_url_is_one_that_the_service_takes(stage):
    url = stage.aws["secrets"]["/finbert-api/dev/DATABASE_URL"]["Value"]
    settings = settings_from_environment(
        {"DATABASE_URL": url}
        | {name: stage.aws["secrets"][f"/finbert-api/dev/{name}"]["Value"] for name in ("API_KEY", "JWT_SECRET")}
    )
    assert settings.database_url.startswith("postgresql+psycopg://finbert:")
    assert settings.database_url.endswith(":5432/finbert?sslmode=require")
