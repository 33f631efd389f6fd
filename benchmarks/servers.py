"""Servers to measure: each a process tree of its own on a free port, asked until ready, ended with the benchmark."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, fields
from email.message import Message
from pathlib import Path
from typing import Any

import click
import psutil

from benchmarks.processes import Samples, sampled, tree
from finbert_api.settings import PROJECT_ROOT, Settings

START_SECONDS = 120.0
STOP_SECONDS = 40.0
_POLL_SECONDS = 0.005
# A benchmark is one key that sends as much as it can.
_WITHOUT_LIMITS = {"RATE_LIMIT_PREDICT": "off", "RATE_LIMIT_BATCH": "off", "RATE_LIMIT_ANALYTICS": "off"}


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: where it listens, what its requests need, its first process, and seconds until ready.

    `start_samples` is its memory from the first moment on, when that was asked for.
    """

    name: str
    port: int
    process: subprocess.Popen[bytes]
    ready_seconds: float
    headers: dict[str, str] = field(default_factory=dict)
    path: str = "/api/v1/predict"
    body: str = '{"text": {text}}'
    start_samples: Samples = field(default_factory=Samples)

    def request(self, text: str) -> Any:
        """The JSON that answers one text. Raises click's exception for any status but 200."""
        return self.exchange(text)[0]

    def exchange(self, text: str) -> tuple[Any, Message]:
        """The JSON that answers one text, on a connection of its own, and the answer's headers."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            body = self.body.replace("{text}", json.dumps(text))
            connection.request("POST", self.path, body, {"Content-Type": "application/json"} | self.headers)
            answer = connection.getresponse()
            content = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise click.ClickException(f"{self.name} answered {answer.status}")
        return json.loads(content), answer.headers

    def pause(self) -> None:
        """Keeps its processes from running: some servers poll their queues even when there is nothing to do."""
        _signal_all(tree(self.process.pid), signal.SIGSTOP)

    def resume(self) -> None:
        """Lets its processes run again."""
        _signal_all(tree(self.process.pid), signal.SIGCONT)


def service_environment(**changes: str) -> dict[str, str]:
    """The environment without the service's own settings, whatever they say here, and with these.

    Byte code is kept, as Python does unless told otherwise: a host compiles the modules at its first start alone.
    """
    ours = {each.name.upper() for each in fields(Settings)} | {"PYTHONDONTWRITEBYTECODE"}
    return {name: value for name, value in os.environ.items() if name not in ours} | changes


def free_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(
    name: str,
    command: Sequence[str],
    port: int,
    environment: Mapping[str, str],
    log: Path,
    *,
    ready_path: str = "/ready",
    sample_seconds: float = 0.0,
    **details: Any,
) -> Iterator[Server]:
    """The server that a command starts, once `ready_path` answers 200. Its output goes to `log`.

    With `sample_seconds` its memory is sampled at that interval from the start until it is ready.

    Raises click's exception, with the end of that output, when it ends or is not ready in time.
    """
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=PROJECT_ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        with sampled(process.pid, sample_seconds) if sample_seconds else nullcontext(Samples()) as samples:
            while not _is_ready(port, ready_path):
                if process.poll() is not None or time.perf_counter() - started > START_SECONDS:
                    tail = log.read_text(encoding="utf-8", errors="replace")[-2_000:]
                    raise click.ClickException(f"{name} did not become ready:\n{tail}")
                time.sleep(_POLL_SECONDS)
            ready_seconds = time.perf_counter() - started
        yield Server(name, port, process, ready_seconds, start_samples=samples, **details)
    finally:
        _stop(process)


@contextmanager
def service(
    model_store: Path,
    log: Path,
    *,
    database_url: str = "",
    client_key: str = "",
    sample_seconds: float = 0.0,
    **settings: str,
) -> Iterator[Server]:
    """`finbert run` with everything but these settings by default, and a client's key for its requests.

    Without a database it starts its own, which keeps its data beside the log.
    """
    port = free_port()
    environment = service_environment(
        DATABASE_URL=database_url,
        MODEL_STORE=str(model_store),
        PORT=str(port),
        DATA_DIR=str(log.parent / "data"),
        **_WITHOUT_LIMITS | settings,
    )
    command = [sys.executable, "-m", "finbert_api", "run"]
    headers = {"X-API-Key": client_key} if client_key else {}
    with serving(
        "the service", command, port, environment, log, sample_seconds=sample_seconds, headers=headers
    ) as server:
        yield server


@contextmanager
def bare_route(log: Path) -> Iterator[Server]:
    """A route that does nothing, in the service's own web stack with its default settings."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-c", "python:finbert_api.gunicorn_conf", "benchmarks.bare:app"]
    with serving("the bare route", command, port, service_environment(PORT=str(port)), log, path="/predict") as server:
        yield server


def make_client_key(database_url: str) -> str:
    """Brings the database to the newest schema and gives the secret of a new client key."""
    environment = service_environment(DATABASE_URL=database_url)
    for command in (["migrate"], ["keys", "create", "benchmark", "--role", "client"]):
        done = subprocess.run(
            [sys.executable, "-m", "finbert_api", *command],
            cwd=PROJECT_ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise click.ClickException(done.stderr.strip())
    return done.stdout.split()[-1]


def _is_ready(port: int, path: str) -> bool:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False


def _signal_all(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Asks the server to end; what of its tree is left after a while is killed."""
    started = tree(process.pid)[1:]
    _signal_all(started, signal.SIGCONT)
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
    _, left = psutil.wait_procs(started, timeout=5)
    _signal_all(left, signal.SIGKILL)
    if process.poll() is None:
        process.kill()
        process.wait()
