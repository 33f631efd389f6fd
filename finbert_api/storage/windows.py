"""Moving windows: how many requests were counted in the last seconds, for all workers of a host together."""

import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Protocol

from finbert_api.storage.circuit import Circuit

# Read where an application is made; gunicorn_conf sets it, so that its workers count in one file.
WINDOWS_FILE = "FINBERT_WINDOWS_FILE"
IN_THIS_PROCESS = ":memory:"
# A hit takes some 30 microseconds. Who waits longer than this for its turn, say for a worker that is stopped in the
# middle of one, goes on without.
WAIT_SECONDS = 0.1
SETUP_SECONDS = 10.0
# 32 MiB in pages of 4 KiB: some 300,000 requests. The file lies in memory.
MOST_PAGES = 8_192

_SCHEMA = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = OFF",  # what a crash of the machine loses is a minute's counting
    f"PRAGMA max_page_count = {MOST_PAGES}",
    # A window's hits are numbered one after the other, so that its first and last number tell how many there are.
    """
    CREATE TABLE IF NOT EXISTS hits (
        window INTEGER, number INTEGER, at REAL, until REAL, PRIMARY KEY (window, number)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX IF NOT EXISTS hits_until ON hits (until)",
)
_FORGET = "DELETE FROM hits WHERE until <= :now"
_HIT = """
    INSERT INTO hits
    SELECT :window, coalesce(last, 0) + 1, :now, :now + :seconds
    FROM (SELECT (SELECT min(number) FROM hits WHERE window = :window) AS first,
                 (SELECT max(number) FROM hits WHERE window = :window) AS last)
    WHERE last IS NULL OR last - first + 1 < :limit
"""
_STATE = """
    SELECT at, (SELECT max(number) FROM hits WHERE window = :window) - number + 1
    FROM hits WHERE window = :window AND until > :now ORDER BY number LIMIT 1
"""


class Windows(Protocol):
    """Where requests are counted. Neither method ever raises: at worst a request goes uncounted."""

    def hit(self, key: str, limit: int, seconds: int) -> bool | None:
        """Counts a request and is True, unless `limit` of them were counted in the last seconds; None: can't tell."""

    def state(self, key: str, limit: int, seconds: int) -> tuple[float, int] | None:
        """When the oldest request that still counts came, in Unix seconds, and how many count; None: can't tell."""


class SharedWindows:
    """Windows in a file that processes share, exact however many of them count at once; safe in many threads.

    SQLite keeps its promises when a process is killed in the middle of a hit. The clock is the host's monotonic one,
    the same in all its processes.
    """

    def __init__(self, path: str = IN_THIS_PROCESS, clock: Callable[[], float] = time.monotonic) -> None:
        self._connection = sqlite3.connect(
            path, timeout=SETUP_SECONDS, isolation_level="IMMEDIATE", check_same_thread=False
        )
        weakref.finalize(self, self._connection.close)
        for statement in _SCHEMA:
            self._connection.execute(statement)
        self._connection.execute(f"PRAGMA busy_timeout = {WAIT_SECONDS * 1000:.0f}")
        self._clock = clock
        self._lock = threading.Lock()
        self._circuit = Circuit("rate limiter", (sqlite3.Error, TimeoutError))

    def hit(self, key: str, limit: int, seconds: int) -> bool | None:
        """As Windows says."""
        return self._circuit.attempt(lambda: self._hit(key, limit, seconds))

    def state(self, key: str, limit: int, seconds: int) -> tuple[float, int] | None:
        """As Windows says."""
        return self._circuit.attempt(lambda: self._state(key))

    def close(self) -> None:
        """Ends the connection; the file stays."""
        self._connection.close()

    def _hit(self, key: str, limit: int, seconds: int) -> bool:
        with self._turn() as connection:
            now = self._clock()
            connection.execute(_FORGET, {"now": now})
            values = {"window": _number_of(key), "now": now, "seconds": seconds, "limit": limit}
            return connection.execute(_HIT, values).rowcount == 1

    def _state(self, key: str) -> tuple[float, int]:
        with self._turn() as connection:
            now = self._clock()
            values = {"window": _number_of(key), "now": now}
            at, requests = connection.execute(_STATE, values).fetchone() or (now, 0)
        return time.time() - (now - at), requests

    @contextmanager
    def _turn(self) -> Iterator[sqlite3.Connection]:
        if not self._lock.acquire(timeout=WAIT_SECONDS):
            raise TimeoutError
        try:
            with self._connection:  # a transaction
                yield self._connection
        finally:
            self._lock.release()


def _number_of(key: str) -> int:
    """64 bits of a digest: some bytes in a row instead of a hundred."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big", signed=True)
