"""Statements on a real PostgreSQL, spoken to libpq directly."""

import pytest
from psycopg.errors import DivisionByZero
from sqlalchemy import make_url

from finbert_api.storage.connections import connect
from finbert_api.storage.statements import Statements


@pytest.fixture
def statements(database_url):
    with connect(make_url(database_url).set(drivername="postgresql+psycopg")) as connection:
        connection.execute("CREATE TEMPORARY TABLE shares (share integer)")
        yield Statements(connection)


def shares(statements):
    return [share for (share,) in statements.connection.execute("SELECT share FROM shares").fetchall()]


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_statement_that_is_refused_leaves_the_connection_to_the_next(statements, is_kept):
    statement = b"INSERT INTO shares VALUES (100 / $1)"
    for divisor in (4, 5):
        statements.run(statement, [divisor], is_kept=is_kept)
    with pytest.raises(DivisionByZero):
        statements.run(statement, [0], is_kept=is_kept)
    statements.run(statement, [50], is_kept=is_kept)
    assert shares(statements) == [25, 20, 2]


def test_no_statement_follows_one_of_which_nobody_knows_what_became(statements):
    with pytest.raises(ZeroDivisionError):
        statements.run(b"INSERT INTO shares VALUES ($1)", [1], is_kept=False, meanwhile=lambda: 1 / 0)
    assert statements.connection.closed
