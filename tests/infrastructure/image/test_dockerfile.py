"""The Dockerfile as linters see it; each exception stands beside its reason in the file itself."""

import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from infrastructure.checkov import run_checkov

from finbert_api.settings import PROJECT_ROOT

DOCKERFILE = PROJECT_ROOT / "Dockerfile"


def hadolint(path):
    found = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if not found:
        pytest.skip("needs hadolint")
    return subprocess.run([found, "--no-color", str(path)], capture_output=True, text=True, check=False)


def test_hadolint_finds_nothing():
    done = hadolint(DOCKERFILE)
    assert done.returncode == 0, done.stdout


def test_hadolint_finds_what_is_wrong(tmp_path):
    wrong = tmp_path / "Dockerfile"
    wrong.write_text(DOCKERFILE.read_text().replace("--no-install-recommends ", ""))
    assert "DL3015" in hadolint(wrong).stdout


def test_checkov_finds_nothing():
    run_checkov(DOCKERFILE, "dockerfile")


def test_every_exception_says_why():
    lines = DOCKERFILE.read_text().splitlines()
    exceptions = [number for number, line in enumerate(lines) if "hadolint ignore" in line or "checkov:skip" in line]
    assert exceptions
    for number in exceptions:
        reason = lines[number].partition(":skip=")[2].partition(":")[2] or lines[number - 1]
        assert len(reason) > 20


def test_no_line_is_of_one_architecture_alone():
    instructions = "\n".join(line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#"))
    names = {"amd64", "arm64", "x86_64", "aarch64", platform.machine()}
    assert not re.search("|".join(names), instructions)
