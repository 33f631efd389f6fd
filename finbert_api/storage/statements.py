"""Statements that leave their caller free while the server is at work on them."""

from collections.abc import Callable, Sequence

from psycopg import generators
from psycopg.abc import PQGen
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from finbert_api.storage.connections import BoundedConnection


class Statements:
    """Runs statements that give no rows over one connection, each a transaction of its own.

    Spoken to libpq directly, through psycopg's bindings: a cursor can't send without waiting, and prepares anew for
    each run what is the same for all of them.
    """

    def __init__(self, connection: BoundedConnection) -> None:
        self.connection = connection
        self._dumpers = Transformer(connection)
        self._names: dict[bytes, bytes] = {}

    def run(
        self, statement: bytes, values: Sequence[object], *, is_kept: bool, meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        """Returns once the server has committed the statement, its values in the places $1, $2 and so on.

        `meanwhile` is called when the statement is on its way. The server keeps the plan of one that `is_kept`. Raises
        psycopg.Error, and what `meanwhile` raises; the connection is closed when what became of the statement is
        unknown.
        """
        # As text, whose meaning the server takes from the columns: a number's binary form depends on its size.
        texts = self._dumpers.dump_sequence(values, [PyFormat.TEXT] * len(values))
        pgconn = self.connection.pgconn
        if is_kept:
            name = self._names.get(statement) or self._keep(statement)
            self._exchange(lambda: pgconn.send_query_prepared(name, texts), meanwhile)
        else:
            self._exchange(lambda: pgconn.send_query_params(statement, texts), meanwhile)

    def _keep(self, statement: bytes) -> bytes:
        name = b"kept_%d" % len(self._names)
        self._exchange(lambda: self.connection.pgconn.send_prepare(name, statement))
        self._names[statement] = name
        return name

    def _exchange(self, send: Callable[[], None], meanwhile: Callable[[], None] = lambda: None) -> None:
        try:
            send()
            results = self.connection.wait(_answers(self.connection.pgconn, meanwhile))
        except BaseException:
            self.connection.close()
            raise
        for result in results:
            if result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result)


def _answers(pgconn: PGconn, meanwhile: Callable[[], None]) -> PQGen[list[PGresult]]:
    yield from generators.send(pgconn)
    meanwhile()
    results: list[PGresult] = yield from generators.fetch_many(pgconn)
    return results
