"""schemathesis, with all its checks and phases, against the running service's own OpenAPI document."""

import os
import re
import subprocess
import sys
from pathlib import Path

from support import ADMIN_KEY, JWT_SECRET

# At most so many for each operation, and stories of several; `make fuzz` asks for many more than every run of the tests
# can wait for.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "3"))


def test_the_service_does_what_its_document_says(start_service, migrated_database, tmp_path):
    service = start_service(DATABASE_URL=migrated_database(), JWT_SECRET=JWT_SECRET).wait_until_ready()
    result = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"), "run", f"http://127.0.0.1:{service.port}/openapi.json",
            "--checks", "all", "--phases", "examples,coverage,fuzzing,stateful", "--mode", "all",
            "--header", f"X-API-Key: {ADMIN_KEY}", "--max-examples", str(EXAMPLES), "--seed", "1", "--no-color",
        ],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    sys.stdout.write(result.stdout)
    assert result.returncode == 0, result.stdout[-9000:] + result.stderr[-2000:]
    generated = re.search(r"^ *(\d+) generated", result.stdout, re.MULTILINE)
    assert generated is not None, result.stdout[-3000:]
    assert int(generated[1]) >= 20 * EXAMPLES
    assert [line for line in service.log_lines() if line["level"] == "ERROR"] == []
