"""The life of an environment in an account of its own, from bootstrap to the last destroy."""

import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infrastructure.terraform.account import mock_account
from infrastructure.terraform.terraform_cli import Terraform
from support import wait_for

ENVIRONMENT = "environments/dev"
NAME = "finbert-api-dev"
REPOSITORY = "acme/finbert-api"
LOCK = "dev/terraform.tfstate.tflock"


@dataclass
class Stage:
    """An environment as applied with some variables."""

    plan: str
    applied: str
    second_plan: str
    outputs: dict[str, Any]
    state: str
    aws: dict[str, Any]


@dataclass
class Life:
    bootstrap: dict[str, Any] = field(default_factory=dict)
    roles: dict[str, Any] = field(default_factory=dict)
    stages: dict[str, Stage] = field(default_factory=dict)
    refused_by_lock: str = ""
    remains_of_environment: list[str] = field(default_factory=list)
    remains: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def live(folder: Path, variants: dict[str, dict[str, str]]) -> Life:
    """One variant after the other, each in place of the one before."""
    life = Life()
    with mock_account(folder) as account:
        terraform = Terraform(folder, **account.environment)
        of_bootstrap = ["-auto-approve", f"-var=github_repository={REPOSITORY}", "-var=deletable=true"]
        with _timed(life, "bootstrap"):
            terraform.init("bootstrap")
            terraform("bootstrap", "apply", *of_bootstrap)
        life.bootstrap = {name: terraform.output("bootstrap", name) for name in ("backend_config", "roles")}
        life.roles = {role["RoleName"]: role for role in account.client("iam").list_roles()["Roles"]}
        beside_environment = account.remains()
        (terraform.root / "environments" / "backend.hcl").write_text(life.bootstrap["backend_config"])
        terraform.init(ENVIRONMENT, "-backend-config=../backend.hcl")
        for variant, variables in variants.items():
            given = [f"-var={name}={value}" for name, value in variables.items()]
            with _timed(life, variant):
                life.stages[variant] = _applied(terraform, account, given)
        life.refused_by_lock = _refused_by_lock(terraform, account, given)
        with _timed(life, "destroy"):
            terraform(ENVIRONMENT, "destroy", "-auto-approve", *given)
        life.remains_of_environment = sorted(set(account.remains()) - set(beside_environment))
        terraform("bootstrap", "destroy", *of_bootstrap)
        life.remains = account.remains()
    return life


def _applied(terraform, account, given):
    plan = terraform(ENVIRONMENT, "plan", "-no-color", "-out=planned", *given)
    applied = terraform(ENVIRONMENT, "apply", "-no-color", "planned")
    return Stage(
        plan=plan,
        applied=applied,
        second_plan=terraform(ENVIRONMENT, "plan", "-no-color", "-detailed-exitcode", *given, expected=(0, 2)),
        outputs={
            name: terraform.output(ENVIRONMENT, name)
            for name in ("ansible_vars", "deploy", "dashboard_name", "model_bucket")
        },
        state=terraform(ENVIRONMENT, "state", "pull") + terraform(ENVIRONMENT, "show", "-json", "planned"),
        aws=account.reading(NAME),
    )


def _refused_by_lock(terraform, account, given):
    """What a plan is told while an apply waits for its approval."""
    change = [*given, "-var=secret_versions={api_key=2}"]
    with terraform.started(ENVIRONMENT, "apply", *change, stdin=subprocess.PIPE, TF_INPUT="1") as waiting:
        wait_for(lambda: account.holds(LOCK), "the apply to take the lock")
        refused = terraform(ENVIRONMENT, "plan", "-no-color", *given, expected=(1,))
        waiting.communicate("no\n", timeout=120)
    return refused


@contextmanager
def _timed(life, what):
    began = time.monotonic()
    yield
    life.seconds[what] = round(time.monotonic() - began, 1)
