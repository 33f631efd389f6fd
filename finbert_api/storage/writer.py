"""Group commit: predictions that arrive together become one statement, one commit and one wait for the disk."""

import threading
import time
import weakref
from collections.abc import Callable, Sequence
from functools import cache
from itertools import islice
from typing import NamedTuple

import psycopg

from finbert_api.observability.metrics import Metrics
from finbert_api.storage.connections import BoundedConnection
from finbert_api.storage.statements import Statements
from finbert_api.storage.tables import PredictionRow
from finbert_api.storage.transactions import is_passing, storage_unavailable

COLUMNS = tuple(PredictionRow.__table__.columns.keys())

# Each size of a batch is a statement that PostgreSQL keeps planned in each connection: up to 16 rows these take 2 MB
# together, up to 64 they take 20 MB, and a row costs hardly less there.
LARGEST_BATCH = 16


class _Batch:
    """Rows that one write takes, in the order they came, and what became of each: None when it is durable."""

    def __init__(self) -> None:
        self.rows: list[Sequence[object]] = []
        self.has_leader = False
        self.faults: list[Exception | None] = []
        self.written = threading.Event()


class Joined(NamedTuple):
    """A row's place among those that are written together."""

    batch: _Batch
    place: int


class _Errand:
    """What a caller does while its row is on its way: done once, and what it raises kept for that caller."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._is_done = False
        self._fault: Exception | None = None

    def run(self) -> None:
        """Does it, unless it was done."""
        if self._is_done:
            return
        self._is_done = True
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - the rows of other callers are on their way too
            self._fault = error

    def end(self) -> None:
        """Raises what it raised."""
        if self._fault is not None:
            raise self._fault


def _nothing() -> None:
    pass


class GroupWriter:
    """Writes the rows of all threads over one connection.

    There is no thread for it and no fixed wait. The first of a batch's callers writes it, at once when the connection
    is idle; while a write is under way, the rows that arrive gather in the next batch. Rows that are known to come
    together can join before any of their callers is there, and so be one write. The connection is made at the first
    row, so that it belongs to the process that uses it, and closed with the writer or the process.
    """

    def __init__(self, connect: Callable[[], BoundedConnection], metrics: Metrics) -> None:
        self._connect = connect
        self._metrics = metrics
        self._statements: Statements | None = None
        self._close_connection: Callable[[], object] = lambda: None
        self._turn = threading.Lock()
        self._joining = threading.Lock()
        self._gathering = _Batch()

    def add(self, row: Sequence[object]) -> None:
        """Returns once the row, its values in the order of COLUMNS, is durable.

        A row that is there already is left as it is. Raises StorageUnavailable when the row may not be stored.
        """
        self.complete(self.join(row))

    def join(self, row: Sequence[object]) -> Joined:
        """Takes a row, to be written with those that join meanwhile as soon as any of them is completed.

        Waits for nothing. A row that is never completed is written with the next one that is.
        """
        with self._joining:
            if len(self._gathering.rows) == LARGEST_BATCH:
                self._gathering = _Batch()
            self._gathering.rows.append(row)
            return Joined(self._gathering, len(self._gathering.rows) - 1)

    def complete(self, joined: Joined, meanwhile: Callable[[], None] = _nothing) -> None:
        """Returns once a row that joined is durable. Raises as `add` does.

        `meanwhile` is called once, in this thread: where possible while PostgreSQL is at work on the row.
        """
        batch, place = joined
        errand = _Errand(meanwhile)
        with self._joining:
            leads, batch.has_leader = not batch.has_leader, True
        if leads:
            self._lead(batch, errand)
        errand.run()
        batch.written.wait()
        if (fault := _told(batch.faults[place])) is not None:
            raise fault
        errand.end()

    def add_all(self, rows: Sequence[Sequence[object]]) -> list[Exception | None]:
        """What kept each row, as `add` takes it, from being stored; None where it is durable.

        They are one statement and one commit of their own, unless PostgreSQL refuses one of them.
        """
        with self._turn:
            return [_told(fault) for fault in self._write(rows, _nothing)]

    def _lead(self, batch: _Batch, errand: _Errand) -> None:
        try:
            if self._turn.locked():  # the write before is the time for it
                errand.run()
            with self._turn:
                with self._joining:
                    if self._gathering is batch:
                        self._gathering = _Batch()
                batch.faults = self._write(batch.rows, errand.run)
        finally:
            batch.written.set()

    def _write(self, rows: Sequence[Sequence[object]], meanwhile: Callable[[], None]) -> list[Exception | None]:
        """What kept each row from being stored; one that PostgreSQL refuses does not take the others with it."""
        fault = self._try_to_insert(rows, meanwhile)
        if fault is None or len(rows) == 1:
            return [fault] * len(rows)
        faults: list[Exception | None] = []
        for row in rows:
            # Not the row's fault but the database's: no use in asking for each.
            if not isinstance(fault, psycopg.OperationalError):
                fault = self._try_to_insert([row], _nothing)
            faults.append(fault)
        return faults

    def _try_to_insert(self, rows: Sequence[Sequence[object]], meanwhile: Callable[[], None]) -> Exception | None:
        """One quick retry when the fault may be a passing one, such as a connection that was dropped while idle.

        After a commit whose answer was lost, it finds the rows there and leaves them.
        """
        try:
            try:
                self._insert(rows, meanwhile)
            except psycopg.OperationalError as error:
                if not is_passing(error):
                    raise
                self._insert(rows, meanwhile)
        except Exception as error:  # noqa: BLE001 - it is raised to each caller that it concerns
            return error
        return None

    def _insert(self, rows: Sequence[Sequence[object]], meanwhile: Callable[[], None]) -> None:
        if self._statements is None or self._statements.connection.closed:
            self._close_connection()
            connection = self._connect()
            self._close_connection = weakref.finalize(self, connection.close)
            self._statements = Statements(connection)
        values = [value for row in rows for value in row]
        begun = time.perf_counter()
        try:
            # What PostgreSQL would keep of a larger statement takes more of its memory than the planning takes time.
            is_kept = len(rows) <= LARGEST_BATCH
            self._statements.run(_insert_statement(len(rows)), values, is_kept=is_kept, meanwhile=meanwhile)
        finally:
            self._metrics.queried("insert", time.perf_counter() - begun)


def _told(fault: Exception | None) -> Exception | None:
    """A fault as callers are told of it."""
    if isinstance(fault, psycopg.Error):
        return storage_unavailable("The database can't be written at the moment", fault)
    return fault


@cache
def _insert_statement(rows: int) -> bytes:
    """The statement that inserts so many rows."""
    places = (f"${number}" for number in range(1, rows * len(COLUMNS) + 1))
    values = ", ".join(f"({', '.join(islice(places, len(COLUMNS)))})" for _ in range(rows))
    table = PredictionRow.__tablename__
    statement = f"INSERT INTO {table} ({', '.join(COLUMNS)}) VALUES {values} ON CONFLICT (request_id) DO NOTHING"  # noqa: S608 - names of our own
    return statement.encode()
