"""Each command of docs/operations.md is run here, or is marked as needing AWS and names what exists."""

import json
import os
import re
import shlex
import subprocess
import sys

import pytest
from mock_ecs import MockEcs, image
from scripted_service import ScriptedService

from finbert_api.settings import PROJECT_ROOT

NEEDS_AWS = "# needs AWS"
RUNBOOK = (PROJECT_ROOT / "docs/operations.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```$", RUNBOOK, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
MARKED = [line.removesuffix(NEEDS_AWS).strip() for line in COMMANDS if line.endswith(NEEDS_AWS)]
RUN = [line for line in COMMANDS if not line.endswith(NEEDS_AWS)]
AWS = {"ecs list-task-definitions", "rds describe-db-instances", "rds restore-db-instance-to-point-in-time",
       "rds wait", "rds modify-db-instance"}  # fmt: skip


@pytest.fixture
def account(monkeypatch, moto_url, tmp_path):
    """An AWS account with a service that runs, and its address and key where Terraform leaves them."""
    service = ScriptedService()
    ecs = MockEcs(monkeypatch, moto_url, lambda _: None, lambda: "RUNNING")
    parameters = ecs.client("ssm")
    parameters.put_parameter(Name="/finbert-api/dev/API_KEY", Value="a-key", Type="SecureString")
    parameters.put_parameter(Name="/finbert-api/dev/deploy", Value=json.dumps({"base_url": service.url}), Type="String")
    monkeypatch.setenv("IMAGE", image("a"))
    # The command as `make install` puts it into .venv/bin, whatever environment the tests run in.
    command = tmp_path / "finbert"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m finbert_api "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    yield ecs
    ecs.close()
    service.close()


def test_there_are_commands_of_both_kinds():
    assert len(MARKED) > 20
    assert len(RUN) > 5
    assert all("$(" in line or NEEDS_AWS not in line for line in RUN)
    assert len(re.findall(r"^```", RUNBOOK, re.MULTILINE)) == 2 * RUNBOOK.count("```sh")


def test_every_command_without_a_mark_runs_in_the_order_of_the_runbook(account):
    for line in RUN:
        result = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False,
            timeout=120,
        )  # fmt: skip
        assert result.returncode == 0, f"{line}\n{result.stdout}{result.stderr}"


@pytest.mark.parametrize("line", MARKED)
def test_every_marked_command_names_what_exists(line, make_targets, assert_is_command):
    folder = PROJECT_ROOT
    if inside := re.fullmatch(r"\(cd (\S+) && (.*)\)", line):
        folder, line = PROJECT_ROOT / inside[1], inside[2]
    words = [word for word in shlex.split(line) if not re.fullmatch(r"[A-Z_]+=\S*", word)]
    match words:
        case ["make", target]:
            assert target in make_targets
        case ["finbert", *rest]:
            assert_is_command(rest)
        case ["terraform", root, verb, *rest]:
            root = PROJECT_ROOT / root.removeprefix("-chdir=")
            assert_is_terraform(root, verb, rest)
        case ["aws", service, operation, *_]:
            assert f"{service} {operation}" in AWS
        case ["ansible-playbook" | "ansible-galaxy", *rest]:
            files = [word for word in rest if word.endswith(".yml")]
            assert files
            assert all((folder / file).is_file() for file in files)
        case _:
            pytest.fail(f"who knows {line}?")


def assert_is_terraform(root, verb, rest):
    """Fails unless the root is there with the outputs, variables and resources that are named."""
    source = "\n".join(path.read_text() for path in root.glob("*.tf"))
    assert source
    assert verb in {"init", "plan", "apply", "destroy", "output", "state", "import"}
    if verb == "output":
        assert f'output "{rest[1]}"' in source
    for variable in re.findall(r"-var (\w+)=", " ".join(rest)):
        assert f'variable "{variable}"' in source
    for address in [word for word in rest if word.startswith("module.")]:
        *modules, kind, name = [part for part in address.split(".") if part != "module"]
        assert f'module "{modules[0]}"' in source
        folder = PROJECT_ROOT / "terraform/modules" / modules[-1]
        assert f'resource "{kind}" "{name}"' in "".join(path.read_text() for path in folder.glob("*.tf"))
