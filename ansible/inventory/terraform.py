#!/usr/bin/env python3
"""Inventory of what Terraform says: its output `ansible_vars` as a variable of the group `ecs_host`.

FINBERT_ENVIRONMENT (dev, prod) names the folder of terraform/environments that is asked. Exits with 1 and one line on
standard error when Terraform has no such output.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ENVIRONMENTS = Path(__file__).resolve().parents[2] / "terraform" / "environments"


def ansible_vars(environment: str) -> dict[str, object]:
    """Terraform's output `ansible_vars` of an environment."""
    command = ["terraform", f"-chdir={ENVIRONMENTS / environment}", "output", "-no-color", "-json", "ansible_vars"]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - a fixed command
    values: dict[str, object] = json.loads(answer.stdout)
    return values


def main() -> None:
    """Print the inventory as Ansible reads it from a program."""
    environment = os.environ.get("FINBERT_ENVIRONMENT", "")
    if not (environment and (ENVIRONMENTS / environment).is_dir()):
        sys.exit(f"FINBERT_ENVIRONMENT must name a folder of {ENVIRONMENTS}, not {environment!r}")
    try:
        values = ansible_vars(environment)
    except FileNotFoundError:
        sys.exit("terraform is not installed")
    except subprocess.CalledProcessError as error:
        sys.exit(f"terraform output of {environment}: {' '.join(error.stderr.split())}")
    json.dump({"_meta": {"hostvars": {}}, "ecs_host": {"vars": {"ansible_vars": values}}}, sys.stdout)


if __name__ == "__main__":
    main()
