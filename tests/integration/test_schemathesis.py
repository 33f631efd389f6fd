"""schemathesis, with all its checks, against the running service's own OpenAPI document."""

import subprocess
import sys
from pathlib import Path

from support import ADMIN_KEY


def test_the_service_does_what_its_document_says(service, tmp_path):
    result = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"), "run", f"http://127.0.0.1:{service.port}/openapi.json",
            "--checks", "all", "--header", f"X-API-Key: {ADMIN_KEY}", "--max-examples", "30", "--seed", "1",
            "--no-color",
        ],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    assert [line for line in service.log_lines() if line["level"] == "ERROR"] == []
