"""What the benchmarks of the running service share: a database of their own, a client's key, texts and loads."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import psycopg

from benchmarks.load import FIRST_SERIAL, LAST_SERIAL, Load, Measured, run_load
from benchmarks.served import served_artifact
from benchmarks.servers import Server, make_client_key, service
from benchmarks.texts import sentences
from finbert_api.domain.errors import FinbertError
from finbert_api.inference.artifact import Artifact
from finbert_api.storage.embedded import embedded_postgres

# Requests of a client whose texts the cache can't know begin here; below are the texts that are sent again and again.
_FIRST_UNIQUE = FIRST_SERIAL + 1_000


class Workbench:
    """A model to serve and everything that serving and loading it needs."""

    def __init__(self, folder: Path, artifact: Artifact, database_url: str) -> None:
        self.folder = folder
        self.artifact = artifact
        self.database_url = database_url
        self.client_key = make_client_key(database_url)
        self.sentences = sentences()
        self.answered = 0
        self._next_serial = _FIRST_UNIQUE

    @contextmanager
    def service(self, *, sample_seconds: float = 0.0, **settings: str) -> Iterator[Server]:
        """The real service with these settings and everything else by default."""
        with service(
            self.artifact.model_path.parent,
            self.folder / f"service-{'-'.join(settings.values())}.log",
            database_url=self.database_url,
            client_key=self.client_key,
            sample_seconds=sample_seconds,
            **settings,
        ) as server:
            yield server

    def load(
        self,
        server: Server,
        *,
        clients: int = 1,
        rate: float = 0.0,
        warm_up: float,
        seconds: float,
        repeated: bool = False,
        lengths: Sequence[int] = (),
    ) -> Measured:
        """Sends texts that no earlier load has sent, or, `repeated`, the same ones always.

        With `lengths`, tokens of the first sentences, these sentences alone are sent.
        """
        first = FIRST_SERIAL if repeated else self._next_serial
        measured = run_load(
            Load(
                server.port,
                self.sentences[: len(lengths) or None],
                lengths=lengths,
                headers=server.headers,
                path=server.path,
                body=server.body,
                clients=clients,
                rate=rate,
                warm_up=warm_up,
                seconds=seconds,
                first_serial=first,
                repeated=repeated,
            )
        )
        if not repeated:
            self._next_serial += measured.sent
            if self._next_serial > LAST_SERIAL:
                raise click.ClickException("out of serial numbers: shorten the run")
        return measured

    def stored(self) -> int:
        """Predictions that the database holds."""
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute("SELECT count(*) FROM predictions").fetchone()
        assert row
        return int(row[0])


@contextmanager
def workbench(model: str) -> Iterator[Workbench]:
    """A workbench for a model in a temporary folder, gone afterwards; our own errors become click's."""
    with TemporaryDirectory(prefix="finbert-benchmark-", ignore_cleanup_errors=True) as folder:
        try:
            artifact = served_artifact(model)
            with embedded_postgres(Path(folder)) as database_url:
                yield Workbench(Path(folder), artifact, database_url)
        except FinbertError as error:
            raise click.ClickException(str(error)) from error
