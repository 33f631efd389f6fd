"""checkov, in a virtual environment of its own: what it pins would not go with what the service pins."""

import fcntl
import json
import os
import subprocess
import sys
import venv

from finbert_api.settings import PROJECT_ROOT

VERSION = "3.3.30"
FOLDER = PROJECT_ROOT / "var" / "cache" / f"checkov-{VERSION}"
MAKE_SECONDS, CHECK_SECONDS = 600, 300


def run_checkov(path, framework):
    """Fails with what checkov finds in a file or folder, and if it finds nothing to look at."""
    environment = os.environ | {"LOG_LEVEL": "ERROR"}
    done = subprocess.run(
        [
            _program(), "--directory" if path.is_dir() else "--file", str(path), "--framework", framework,
            "--skip-download", "--quiet", "--compact", "--output", "json",
        ],
        env=environment, capture_output=True, text=True, check=False, timeout=CHECK_SECONDS,
    )  # fmt: skip
    assert done.stdout.strip(), done.stderr
    answer = json.loads(done.stdout)
    reports = answer if isinstance(answer, list) else [answer]
    assert any(report.get("results") for report in reports), f"checkov looked at nothing in {path}"
    found = [
        f"{failed['check_id']} {failed['check_name']}: {failed['resource']} ({failed['file_path']})"
        for report in reports
        for failed in report["results"]["failed_checks"]
    ]
    assert not found, "\n".join(found)
    assert done.returncode == 0, done.stderr


def _program():
    """The command, installed once for this checkout, whoever comes first."""
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    program, ready = FOLDER / "bin" / "checkov", FOLDER / "ready"
    with FOLDER.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            venv.create(FOLDER, with_pip=True, clear=True)
            subprocess.run(
                # Most of what it brings is never imported: what is compiles itself then.
                [FOLDER / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-compile", f"checkov=={VERSION}"],
                check=True, timeout=MAKE_SECONDS, stdout=sys.stderr,
            )  # fmt: skip
            ready.touch()
    return str(program)
