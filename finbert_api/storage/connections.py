"""Connections to PostgreSQL on which every wait ends."""

import time
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.engine import ExceptionContext

from finbert_api.observability.metrics import Metrics, operation_of
from finbert_api.storage.pool import FairPool

# Shorter than a client's patience and than the 25 s a request may take: a database that hangs must not hang us.
CONNECT_TIMEOUT_SECONDS = 2
STATEMENT_TIMEOUT_MS = 2_000
ANSWER_TIMEOUT_SECONDS = 3.0
POOL_TIMEOUT_SECONDS = 2

# A migration keeps no client waiting, and a server that only just started, or is busy, may need its time.
PATIENT_CONNECT_TIMEOUT_SECONDS = 30

# A read takes some milliseconds, so that a few connections serve every thread of a worker in turn, and a small database
# server is not asked for as many connections as there are threads.
POOL_SIZE = 4

_BEGUN = "begun"


def _connect_arguments(connect_seconds: int, statement_ms: int) -> dict[str, Any]:
    return {"connect_timeout": connect_seconds, "options": f"-c statement_timeout={statement_ms} -c timezone=UTC"}


_CONNECT_ARGUMENTS = _connect_arguments(CONNECT_TIMEOUT_SECONDS, STATEMENT_TIMEOUT_MS)


class AnswerTimeout(psycopg.OperationalError):
    """PostgreSQL accepted a connection and then gave no answer on it in time; the connection is closed."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that gives up on a silent server.

    statement_timeout ends a slow statement, but it is the server that counts: one that is frozen, or behind a network
    that swallows packets, never does.
    """

    def wait(self, gen: PQGen[RV], *arguments: Any, **options: Any) -> RV:
        """What the server answers. Raises AnswerTimeout."""
        try:
            return super().wait(gen, *arguments, **{"timeout": ANSWER_TIMEOUT_SECONDS, **options})
        except psycopg.errors._WaitTimeout:  # noqa: SLF001 - what wait is documented to raise has no public name
            self.close()
            raise AnswerTimeout(f"no answer within {ANSWER_TIMEOUT_SECONDS:g} s") from None


def engine_options() -> dict[str, object]:
    """Options for SQLAlchemy's engine: a small fair pool, and every wait bounded."""
    return {
        "poolclass": FairPool,
        "pool_size": POOL_SIZE,
        "pool_timeout": POOL_TIMEOUT_SECONDS,
        # A connection that the server dropped while it was idle is replaced before it fails a request.
        "pool_pre_ping": True,
        # Parameters are client texts: they may not reach a log by way of an exception's message.
        "hide_parameters": True,
        "connect_args": _CONNECT_ARGUMENTS,
    }


def bound_waits(engine: Engine) -> None:
    """Makes every new connection of the engine a bounded one."""
    event.listen(engine, "do_connect", _connect)


def patient_engine(url: URL) -> Engine:
    """An engine for work that may take longer than a request: what a statement or a lock takes has no bound."""
    return create_engine(
        url,
        poolclass=NullPool,
        hide_parameters=True,
        connect_args=_connect_arguments(PATIENT_CONNECT_TIMEOUT_SECONDS, statement_ms=0),
    )


def observe_statements(engine: Engine, metrics: Metrics) -> None:
    """Tells metrics of every statement over the engine's connections."""

    @event.listens_for(engine, "before_cursor_execute")
    def begin(connection: Connection, *_rest: Any) -> None:
        connection.info[_BEGUN] = time.perf_counter()

    def end(connection: Connection, statement: str) -> None:
        metrics.queried(operation_of(statement), time.perf_counter() - connection.info[_BEGUN])

    @event.listens_for(engine, "after_cursor_execute")
    def succeed(connection: Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
        end(connection, statement)

    @event.listens_for(engine, "handle_error")
    def fail(failure: ExceptionContext) -> None:
        if failure.statement and failure.connection:
            end(failure.connection, failure.statement)


def connect(url: URL) -> BoundedConnection:
    """A connection beside the pool, in which each statement is a transaction: its commit costs no round trip.

    Raises psycopg.OperationalError when there is none to be had.
    """
    arguments, options = url.get_dialect()().create_connect_args(url)
    return BoundedConnection.connect(*arguments, **{**options, **_CONNECT_ARGUMENTS}, autocommit=True)


def _connect(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> BoundedConnection:
    return BoundedConnection.connect(*arguments, **options)
