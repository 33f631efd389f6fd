"""What SQLAlchemy raises, told as the service's own errors."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from flask_sqlalchemy.session import Session
from psycopg.errors import ConnectionTimeout, QueryCanceled
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import scoped_session

from finbert_api.domain.errors import StorageUnavailable
from finbert_api.extensions import db
from finbert_api.storage.connections import AnswerTimeout

# Trying these again would double a wait that was too long already.
_SLOW = (QueryCanceled, ConnectionTimeout, AnswerTimeout)


@contextmanager
def storage_errors(message: str) -> Iterator[None]:
    """Turns every error of SQLAlchemy into StorageUnavailable with this message and the database's reason."""
    try:
        yield
    except SQLAlchemyError as error:
        raise storage_unavailable(message, getattr(error, "orig", None) or error) from None


def storage_unavailable(message: str, cause: BaseException) -> StorageUnavailable:
    """The error with this message, and the database's own word as its reason."""
    # The first line alone: the lines after it can quote the row, which holds a client's text.
    return StorageUnavailable(message, f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}")


def is_passing(cause: BaseException) -> bool:
    """Whether the same might succeed at once, over another connection."""
    return isinstance(cause, psycopg.OperationalError) and not isinstance(cause, _SLOW)


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
