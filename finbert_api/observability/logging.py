"""JSON logs on standard output or in a file, one object a line, the same for the application and for gunicorn."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pythonjsonlogger.json import JsonFormatter

FILE_BYTES, OLD_FILES = 50_000_000, 5

# Set for the length of a request; every line that is logged meanwhile carries it.
current_request_id: ContextVar[str | None] = ContextVar("current_request_id", default=None)


@contextmanager
def during_request(request_id: str) -> Iterator[None]:
    """Every line that is logged within carries this id."""
    current_request_id.set(request_id)
    try:
        yield
    finally:
        current_request_id.set(None)


class JsonLine(JsonFormatter):
    """One log record as one line of JSON: time in UTC with milliseconds, level, logger, message, extra fields."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's own signature
        """The record's time as RFC 3339 with milliseconds and Z."""
        moment = datetime.fromtimestamp(record.created, tz=UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Adds the id of the request during which the record was made."""
        request_id = current_request_id.get()
        if request_id is not None:
            log_data.setdefault("request_id", request_id)
        return log_data


class WithoutClientBytes(logging.Filter):
    """Cuts from gunicorn's lines about broken requests what they quote of the request: it can be a client's text."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets every record through, shortened where it quotes."""
        message = record.getMessage()
        for opening in ("Invalid request", "Error handling request"):
            if message.startswith(opening):
                record.msg, record.args = opening, None
        return True


def logging_config(level: str, file: Path | None = None) -> dict[str, Any]:
    """A dictConfig: everything from `level` up goes to standard output as JSON lines, or to a file if one is given.

    The file is one for all workers. At FILE_BYTES it becomes an old file, of which OLD_FILES are kept.
    """
    to_output = {"level": level, "handlers": ["output"], "propagate": False}
    output: dict[str, Any] = {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}
    if file:
        # The standard library's own lets workers rotate each other's file away.
        output = {
            "class": "concurrent_log_handler.ConcurrentRotatingFileHandler",
            "filename": str(file),
            "maxBytes": FILE_BYTES,
            "backupCount": OLD_FILES,
            "encoding": "utf-8",
        }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": JsonLine,
                "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s",
                "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
            }
        },
        "filters": {"without_client_bytes": {"()": WithoutClientBytes}},
        "handlers": {"output": output | {"formatter": "json"}},
        "root": {"level": "WARNING", "handlers": ["output"]},
        "loggers": {
            "finbert_api": to_output,
            # gunicorn adds handlers of its own to its loggers unless they are configured; the access log is ours.
            "gunicorn.error": to_output | {"filters": ["without_client_bytes"]},
            "gunicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
        },
    }
