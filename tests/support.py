"""What tests import from each other."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import fields

import psutil

from finbert_api.app import create_app
from finbert_api.extensions import db
from finbert_api.settings import PROJECT_ROOT, Settings

ADMIN_KEY = "the-bootstrap-admin-key-of-the-tests"
JWT_SECRET = "the-secret-that-signs-the-tokens-of-the-tests"
ADMIN = {"X-API-Key": ADMIN_KEY}
# Tests of other things send as much as they like.
WITHOUT_LIMITS = {"RATE_LIMIT_PREDICT": "off", "RATE_LIMIT_BATCH": "off", "RATE_LIMIT_ANALYTICS": "off"}
START_SECONDS = 60
# What production runs, over a database that has been migrated.
GUNICORN = ("-m", "gunicorn", "-c", "python:finbert_api.gunicorn_conf", "wsgi:app")
# What one command starts at home: a database of its own if DATABASE_URL names none, migrations, gunicorn.
RUN = ("-m", "finbert_api", "run")


def gunicorn_with(**values):
    """The command GUNICORN, but that these names of its configuration have other values."""
    changes = "".join(f"gunicorn_conf.{name} = {value!r}; " for name, value in values.items())
    program = f"from finbert_api import gunicorn_conf; {changes}from gunicorn.app.wsgiapp import run; run()"
    return ("-c", program, *GUNICORN[2:])


@contextmanager
def running(settings, engine):
    """An application whose database connections and threads are closed at the end."""
    app = create_app(settings, engine)
    app.testing = True
    # Errors are answered as in production, where nobody debugs.
    app.config["PROPAGATE_EXCEPTIONS"] = False
    yield app
    app.extensions["finbert"].api_keys.close()
    app.extensions["finbert"].metrics.close()
    with app.app_context():
        db.engine.dispose()


def wait_for(condition, what, seconds=START_SECONDS):
    """What `condition` gives, as soon as that is true; fails after a time that only a defect needs."""
    until = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > until:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.02)
    return result


def later(seconds=60.0):
    """A deadline that far from now."""
    return time.monotonic() + seconds


def is_alive(pid):
    """Whether a process runs; one that only waits for its parent to notice its end does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def command_environment(**changes):
    """The environment of the tests without the service's own settings, and with these."""
    ours = {field.name.upper() for field in fields(Settings)}
    return {name: value for name, value in os.environ.items() if name not in ours} | changes


def finbert(*arguments, **environment):
    """Runs the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "finbert_api", *arguments],
        cwd=PROJECT_ROOT, env=command_environment(**environment), capture_output=True, text=True, check=False,
    )  # fmt: skip


def exchange(port, method, path, body=None, headers=ADMIN):
    """Status, headers and JSON (or bytes) of the answer of a server on this machine."""
    json_headers = {"Content-Type": "application/json"} if body is not None else {}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request(method, path, json.dumps(body) if body is not None else None, headers | json_headers)
        answer = connection.getresponse()
        content = answer.read()
    return (
        answer.status,
        answer.headers,
        json.loads(content) if "json" in answer.headers.get("Content-Type", "") else content,
    )


class Service:
    """The service as a process of its own, on a free port, with its data in a folder of the test."""

    def __init__(self, data_dir, command=GUNICORN, **environment):
        self.port = free_port()
        self.data_dir = data_dir
        self.log_path = data_dir.parent / f"{data_dir.name}-{self.port}.log"
        settings = {"DATA_DIR": str(data_dir), "PORT": str(self.port), "API_KEY": ADMIN_KEY, "WEB_CONCURRENCY": "2"}
        settings |= WITHOUT_LIMITS
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=PROJECT_ROOT, env=command_environment(**settings | environment), stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def request(self, method, path, body=None, headers=ADMIN):
        """Status, headers and JSON (or bytes) of an answer."""
        return exchange(self.port, method, path, body, headers)

    def status_of(self, path):
        """The status of a GET; None while nothing listens."""
        if self.process.poll() is not None:
            raise AssertionError(f"the service ended with {self.process.returncode}:\n{self.output()}")
        try:
            return self.request("GET", path)[0]
        except OSError:
            return None

    def wait_until_ready(self):
        wait_for(lambda: self.status_of("/ready") == 200, "the service to be ready")
        return self

    def output(self):
        return self.log_path.read_text()

    def log_lines(self):
        """Its JSON lines so far."""
        lines = []
        for line in self.output().splitlines():
            with suppress(ValueError):
                lines.append(json.loads(line))
        return [line for line in lines if isinstance(line, dict)]

    def stop(self, signal_number=signal.SIGTERM):
        """Ends it and gives its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        return self.process.wait(timeout=60)
