"""gunicorn's settings: `gunicorn -c python:finbert_api.gunicorn_conf wsgi:app`.

The application's modules are imported once, before the fork, so that the workers share their memory and start fast.
The application itself is made in each worker, after the fork, since ONNX Runtime's threads survive none.
"""

import gc
import os
import shutil
import tempfile
from contextlib import suppress
from ctypes import CDLL
from importlib import import_module
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger

from finbert_api.collector import imported
from finbert_api.gunicorn_worker import ConnectionCounts, OwnProcessors, processors_for
from finbert_api.observability.logging import logging_config
from finbert_api.settings import settings_from_environment
from finbert_api.storage.windows import WINDOWS_FILE, SharedWindows

_settings = settings_from_environment()
M_ARENA_MAX = -8  # of glibc's malloc.h
# How many objects that might hold each other are made before Python looks for those that do. By its default of 700 that
# is twice a request, and took 2 % of an answer from the cache; what lies about until then is some megabytes.
OBJECTS_BETWEEN_COLLECTIONS = 10_000
_MEMORY = Path("/dev/shm")  # noqa: S108 - only the directory; the files in it get unpredictable names

bind = _settings.address
workers = _settings.web_concurrency
worker_class = "finbert_api.gunicorn_worker.Worker"
threads = _settings.worker_threads
preload_app = False
# Nested inside API Gateway's 29 s: a request is answered or given up before the gateway does.
timeout = 30
graceful_timeout = 25
keepalive = 75
CLIENT_SILENCE_SECONDS = 10
logconfig_dict = logging_config(_settings.log_level, _settings.log_file)
# Heartbeats and metrics are files in memory: on a disk, a slow write would look like a hung worker, and a full disk
# would kill the worker that writes to a mapped file.
worker_tmp_dir = str(_MEMORY) if _MEMORY.is_dir() else None
control_socket_disable = True
# numpy's linear algebra would start threads when it is imported, which a fork ends in the middle of what they do.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# glibc spreads threads over heaps, eight for each processor, each growing to what its busiest moment took: with 64
# threads that came to 14 MB a worker, and went on growing under load. Python's lock lets one thread allocate at a time.
MOST_HEAPS = 2
with suppress(OSError, AttributeError):  # another C library has no such heaps
    CDLL(None).mallopt(M_ARENA_MAX, MOST_HEAPS)

# The workers share their metrics through files; prometheus_client reads the variable when it is imported.
_metrics_directory = tempfile.mkdtemp(prefix=f"finbert-metrics-{os.getpid()}-", dir=worker_tmp_dir)
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _metrics_directory
# And what they count for the rate limits.
os.environ[WINDOWS_FILE] = str(Path(_metrics_directory) / "windows.sqlite")


class WithoutAccessLog(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's logger, which prepares the fields of an access line even for a log that is off."""

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Nothing: the application writes one line for each request itself."""


logger_class = WithoutAccessLog


# Twice as many places as workers: while they are replaced both generations are there.
_counts = ConnectionCounts(2 * workers)
_processors = OwnProcessors(processors_for(workers))


def pre_fork(_server: Any, worker: Any) -> None:
    """Gives a new worker its place among the others, and its processor."""
    worker.counts, worker.place = _counts, _counts.place_of(worker.age)
    worker.processor = _processors.take(worker.age)
    worker.silence_seconds = CLIENT_SILENCE_SECONDS


def child_exit(_server: Any, worker: Any) -> None:
    """Forgets the connections, the processor and the gauges of a worker that ended."""
    _counts.leave(worker.age)
    _processors.leave(worker.age)
    # Loaded by now: at this module's own import the variable above was not set yet.
    import_module("finbert_api.observability.prometheus").forget_worker(Path(_metrics_directory), worker.pid)


def on_starting(_server: Any) -> None:
    """Loads what all workers share."""
    imported("finbert_api.loading").load_ahead(_settings)
    SharedWindows(os.environ[WINDOWS_FILE]).close()  # made by one process: no connection of SQLite survives a fork
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)


def on_exit(_server: Any) -> None:
    """Removes the files of the metrics and limits."""
    shutil.rmtree(_metrics_directory, ignore_errors=True)
