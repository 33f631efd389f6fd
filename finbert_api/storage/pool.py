"""A pool of connections that serves its callers in the order they came."""

import logging
import threading
from collections import deque
from typing import Any

from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool


class FairPool(QueuePool):
    """SQLAlchemy's pool with a line in front of it, which lets in as many as there may be connections.

    In QueuePool's a thread that gives its connection back may take it again before the one that waits for it has woken
    up: of more busy threads than connections the first few keep them all, and the others wait until their time is up.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        # The line is the bound. At one of its own QueuePool would start over, and so enter the line a second time.
        super().__init__(*arguments, **options | {"max_overflow": -1})
        # Named after this class, its lines would escape the level that SQLAlchemy's have.
        self.logger = logging.getLogger("sqlalchemy.pool")
        self.line = Line(self.size())

    def _do_get(self) -> ConnectionPoolEntry:
        timeout = self.timeout()
        if not self.line.enter(timeout):
            raise PoolTimeout(f"no connection was free within {timeout:g} s")
        try:
            return super()._do_get()
        except BaseException:
            self.line.leave()
            raise

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        try:
            super()._do_return_conn(record)
        finally:
            self.line.leave()


class Line:
    """Lets so many in at a time, the others in the order they came."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: deque[threading.Lock] = deque()
        # Reentrant: a connection that nobody holds any more is given back by the garbage collector, at any line.
        self._mutex = threading.RLock()

    @property
    def length(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def enter(self, timeout: float) -> bool:
        """Waits for a place, at most so many seconds; False when none came."""
        with self._mutex:
            if self._free:
                self._free -= 1
                return True
            called = threading.Lock()
            called.acquire()
            self._waiting.append(called)
        if called.acquire(timeout=timeout):
            return True
        with self._mutex:
            if called not in self._waiting:  # called between the last two lines
                return True
            self._waiting.remove(called)
            return False

    def leave(self) -> None:
        """Gives a place to who waits longest."""
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1
