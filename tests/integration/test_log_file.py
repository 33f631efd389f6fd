"""Log lines of all workers in one file, which is rotated."""

import json
import logging
import subprocess
import sys

from finbert_api.observability.logging import logging_config

WRITERS, LINES = 4, 300
WRITER = """
import logging, sys
from logging.config import dictConfig
from pathlib import Path
from finbert_api.observability import logging as ours
ours.FILE_BYTES, ours.OLD_FILES = 20_000, 100
dictConfig(ours.logging_config("INFO", Path(sys.argv[1])))
for number in range(int(sys.argv[3])):
    logging.getLogger("finbert_api").info("line", extra={"writer": sys.argv[2], "number": number})
"""


def test_a_service_writes_its_lines_to_the_file(start_service, migrated_database, tmp_path):
    file = tmp_path / "api.log"
    service = start_service(DATABASE_URL=migrated_database(), LOG_FILE=str(file)).wait_until_ready()
    service.request("GET", "/api/v1/predictions")
    service.stop()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["route"] for line in lines if line["message"] == "request"][-1] == "/api/v1/predictions"
    assert [line for line in service.log_lines() if line.get("message") == "request"] == []


def test_writers_rotate_one_file_without_losing_a_line(tmp_path):
    file = tmp_path / "api.log"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(file), str(writer), str(LINES)])
        for writer in range(WRITERS)
    ]
    assert [writer.wait() for writer in writers] == [0] * WRITERS
    files = [path for path in tmp_path.glob("api.log*") if not path.name.endswith(".lock")]
    assert len(files) > 2
    written = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    assert sorted((line["writer"], line["number"]) for line in written) == [
        (str(writer), number) for writer in range(WRITERS) for number in range(LINES)
    ]


def test_the_file_has_a_bounded_size(tmp_path):
    handler = logging_config("INFO", tmp_path / "api.log")["handlers"]["output"]
    assert handler["maxBytes"] * (handler["backupCount"] + 1) <= 500_000_000
    assert logging_config("INFO")["handlers"]["output"]["class"] == f"logging.{logging.StreamHandler.__name__}"
