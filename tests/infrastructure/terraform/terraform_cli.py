"""Terraform as the tests run it: on a copy of the configuration, with the provider from a mirror where there is one."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from finbert_api.settings import PROJECT_ROOT

# Where Terraform itself looks, on each kind of system, besides what TF_PLUGIN_DIR names.
MIRRORS = ("/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins", "/opt", "~/.terraform.d/plugins")
MIRROR_DEPTH = 3
REGISTRY = "registry.terraform.io"


def plugin_dir():
    """A folder that holds providers, so that none has to be downloaded; None where there is none."""
    if named := os.environ.get("TF_PLUGIN_DIR"):
        return Path(named)
    for mirror in map(Path, map(os.path.expanduser, MIRRORS)):
        for depth in range(MIRROR_DEPTH):
            for found in mirror.glob("/".join(["*"] * depth + [REGISTRY])):
                return found.parent
    return None


class Terraform:
    """The command, on a copy of terraform/ and ansible/ of the test's own, with the environment given."""

    def __init__(self, folder, **environment):
        self.program = self.required()
        self.root = folder / "terraform"
        self._environment = (
            {
                # A CLI configuration of the machine could name another mirror, or a file that is not there.
                name: value
                for name, value in os.environ.items()
                if name != "TF_CLI_CONFIG_FILE" and not name.startswith("AWS_")
            }
            | {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}
            | environment
        )
        for name in ("terraform", "ansible"):
            if (PROJECT_ROOT / name).is_dir():
                shutil.copytree(
                    PROJECT_ROOT / name,
                    folder / name,
                    ignore=shutil.ignore_patterns(".terraform", ".terraform.lock.hcl", "*.tfstate*", "backend.hcl"),
                )

    @staticmethod
    def required():
        """The program; the test is skipped where there is none."""
        return shutil.which("terraform") or pytest.skip("terraform is not installed")

    def __call__(self, where, *arguments, expected=(0,), seconds=600):
        """What the command wrote, run in a folder under terraform/; fails unless it ends with an expected status."""
        done = subprocess.run(
            [self.program, *arguments],
            cwd=self.root / where, env=self._environment, capture_output=True, text=True, check=False, timeout=seconds,
        )  # fmt: skip
        written = done.stdout + done.stderr
        assert done.returncode in expected, f"terraform {arguments[0]} in {where}: {done.returncode}\n{written[-8000:]}"
        return written

    def started(self, where, *arguments, stdin, **environment):
        """The command, going on beside the test."""
        return subprocess.Popen(
            [self.program, *arguments],
            cwd=self.root / where, env=self._environment | environment, text=True,
            stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def init(self, where, *arguments):
        mirror = plugin_dir()
        return self(where, "init", *([f"-plugin-dir={mirror}"] if mirror else []), *arguments)

    def output(self, where, name):
        return json.loads(self(where, "output", "-json", name))
