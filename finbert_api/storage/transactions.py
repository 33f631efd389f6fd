"""What SQLAlchemy raises, told as the service's own errors."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask_sqlalchemy.session import Session
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import scoped_session

from finbert_api.domain.errors import StorageUnavailable
from finbert_api.extensions import db

# Shorter than a client's patience and than the 25 s a request may take: a database that hangs must not hang us.
CONNECT_TIMEOUT_SECONDS = 2
STATEMENT_TIMEOUT_MS = 2_000
POOL_TIMEOUT_SECONDS = 2


def engine_options(pool_size: int) -> dict[str, object]:
    """Options for SQLAlchemy's engine: a pool of one connection for each thread, and every wait bounded."""
    return {
        "pool_size": pool_size,
        "max_overflow": 0,
        "pool_timeout": POOL_TIMEOUT_SECONDS,
        # Parameters are client texts: they may not reach a log by way of an exception's message.
        "hide_parameters": True,
        "connect_args": {
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "tcp_user_timeout": STATEMENT_TIMEOUT_MS + 1_000,
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC",
        },
    }


@contextmanager
def storage_errors(message: str) -> Iterator[None]:
    """Turns every error of SQLAlchemy into StorageUnavailable with this message and the database's reason."""
    try:
        yield
    except SQLAlchemyError as error:
        raise StorageUnavailable(message, _reason(error)) from None


@contextmanager
def reading() -> Iterator[scoped_session[Session]]:
    """A session whose reads all see the same moment; the connection goes back to the pool at the end.

    Raises StorageUnavailable when the database can't be asked.
    """
    try:
        with storage_errors("The database can't be read at the moment"):
            db.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield db.session
    finally:
        db.session.remove()


@contextmanager
def writing() -> Iterator[scoped_session[Session]]:
    """A session that is committed at the end, or rolled back whole when anything is raised.

    Raises StorageUnavailable when the database can't be written.
    """
    try:
        with storage_errors("The database can't be written at the moment"):
            yield db.session
            db.session.commit()
    finally:
        db.session.remove()


def _reason(error: SQLAlchemyError) -> str:
    """The kind of error and its first line: the lines after it can quote the row, which holds a client's text."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}"
