"""`finbert run`: the whole service on this machine with one command, and everything it started stopped with it."""

import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
from gunicorn.app.base import BaseApplication

from finbert_api.cli.database import database_settings
from finbert_api.cli.main import finbert
from finbert_api.collector import imported
from finbert_api.domain.errors import SettingsError, StorageUnavailable
from finbert_api.settings import Settings

EXAMPLE_TEXT = "The company beat earnings expectations and raised full-year guidance."


@click.command()
def run() -> None:
    """Start the service: database, migrations, workers; Ctrl-C stops it all."""
    with ExitStack() as until_the_end:
        # What the migrations and the workers both need is imported, once, while the database starts.
        with ThreadPoolExecutor(max_workers=1) as beside:
            database = beside.submit(until_the_end.enter_context, database_settings())
            imported("finbert_api.storage.database")
        settings = database.result()
        _require_free_port(settings)
        api_key = settings.api_key or _kept_secret(settings.data_dir / "api_key")
        # The workers read their settings from the environment, as they do in production.
        os.environ["DATABASE_URL"] = settings.database_url or ""
        os.environ["API_KEY"] = api_key
        os.environ["JWT_SECRET"] = settings.jwt_secret or _kept_secret(settings.data_dir / "jwt_secret")
        # In a process of its own, which leaves nothing behind in the one that the workers are forked from. That one
        # loads meanwhile what the workers will share.
        migration = get_context("fork").Process(target=finbert, args=(["migrate"], "finbert"))
        migration.start()
        with ExitStack() as unless_it_starts:
            unless_it_starts.callback(migration.join)
            configuration = imported("finbert_api.gunicorn_conf")
            unless_it_starts.callback(configuration.on_exit, None)
            imported("finbert_api.loading").load_ahead(settings)
            migration.join()
            if migration.exitcode != 0:
                raise StorageUnavailable("the migrations failed, as said above; nothing was started")
            unless_it_starts.pop_all()
        LocalServer(_announcer(settings, api_key)).run()


class LocalServer(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn inside this process, configured by gunicorn_conf as in production."""

    def __init__(self, announce: Callable[[Any], None]) -> None:
        self._announce = announce
        super().__init__(prog="finbert run")

    def load_config(self) -> None:
        """Takes every setting that gunicorn_conf defines, and announces the service from its first worker."""
        for name, value in vars(import_module("finbert_api.gunicorn_conf")).items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)
        self.cfg.set("post_worker_init", self._announce)
        self.cfg.set("when_ready", _end_with_terminal)

    def load(self) -> Any:
        """The application, made in each worker after the fork."""
        return import_module("finbert_api.app").create_app()


def _end_with_terminal(_server: Any) -> None:
    """Makes a closed terminal end the service; by itself gunicorn would reload its workers and stay."""
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))


def _announcer(settings: Settings, api_key: str) -> Callable[[Any], None]:
    url = f"http://{settings.address}"
    body = f'{{"text": "{EXAMPLE_TEXT}"}}'
    block = f"""
FinBERT API  {url}
docs         {url}/docs
API key      {api_key}

curl -s {url}/api/v1/predict -H 'X-API-Key: {api_key}' \\
  -H 'Content-Type: application/json' -d '{body}'

Ctrl-C stops it.
"""

    def announce(worker: Any) -> None:
        # The first worker alone speaks; one that replaces it later has a higher age.
        if worker.age == 1:
            click.echo(block, file=sys.stderr)

    return announce


def _require_free_port(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise SettingsError(
                f"can't listen on {settings.address} ({error.strerror}); PORT chooses another"
            ) from None


def _kept_secret(path: Path) -> str:
    """The secret made at the first run: the same at every run, readable by its owner alone."""
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        secret = secrets.token_urlsafe(32)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secret + "\n", encoding="ascii")
        return secret
