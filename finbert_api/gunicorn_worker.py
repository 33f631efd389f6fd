"""gunicorn's threaded worker, but for two things.

Connections are spread evenly over the workers: clients keep theirs, and a worker has its own share of the processors.
Whichever worker happens to be awake takes a new connection; measured with 16 clients and two workers, one of them now
and then took all 16 and the service answered half of what it can.

What an overloaded application refuses costs next to nothing: a whole request that is there, on a kept connection, is
answered where it is noticed, without a thread, a parser and an environment for it. Measured with five times the load,
the service then answered 0.93 instead of 0.78 of what it does at its best.
"""

import mmap
import socket
import struct
import time
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Protocol

import gunicorn
from gunicorn.util import http_date
from gunicorn.workers.gthread import ThreadWorker

from finbert_api.whole_request import whole_request

ADMISSION = "finbert_admission"
_COUNT = struct.Struct("i")
_NOBODY = -1
PAUSE_SECONDS = 0.0005
# A worker that has fewer connections and does not take one for so many pauses is busy or gone.
MOST_PAUSES = 10
# More than the longest request that can be refused so.
LARGEST_GLANCE = 64 * 1024


class Admission(Protocol):
    """What an application has in its extensions as ADMISSION to refuse requests early."""

    @property
    def most_requests(self) -> int:
        """How many requests a worker takes in hand before it asks for refusals."""

    def refusal(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[HTTPStatus, dict[str, str], bytes] | None:
        """The status, headers and body that refuse a request, None for one that goes on to the application."""

    def report(self, *, at_once: bool = False) -> None:
        """Called now and then to account for refusals, `at_once` for the last time."""


class ConnectionCounts:
    """How many connections each worker has, in memory that the master shares with all it forks."""

    def __init__(self, most_workers: int) -> None:
        self._most_workers = most_workers
        self._memory = mmap.mmap(-1, most_workers * _COUNT.size)
        for place in range(most_workers):
            self.retire(place)
        self._taken: dict[int, int] = {}

    def place_of(self, age: int) -> int:
        """A place for a worker about to be forked, known by its age."""
        if age not in self._taken:
            taken = set(self._taken.values())
            self._taken[age] = next(place for place in range(self._most_workers) if place not in taken)
        return self._taken[age]

    def leave(self, age: int) -> None:
        """Frees the place of a worker that ended."""
        place = self._taken.pop(age, None)
        if place is not None:
            self.retire(place)

    def set(self, place: int, count: int) -> None:
        """Tells all workers how many connections the worker at this place has."""
        _COUNT.pack_into(self._memory, place * _COUNT.size, count)

    def retire(self, place: int) -> None:
        """Tells all workers that the one at this place takes no connections any more."""
        self.set(place, _NOBODY)

    def fewest_elsewhere(self, place: int, count: int) -> int:
        """The fewest connections that another worker has; `count` when there is no other."""
        everywhere = enumerate(each for (each,) in _COUNT.iter_unpack(self._memory))
        return min((each for other, each in everywhere if other != place and each != _NOBODY), default=count)


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Leaves a new connection to a worker that has fewer, and refuses at once what the application is too full for."""

    counts: ConnectionCounts
    place: int
    admission: Admission | None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._pauses = 0
        self._in_hand = 0

    def load_wsgi(self) -> None:
        """Makes the application."""
        super().load_wsgi()
        self.admission = getattr(self.wsgi, "extensions", {}).get(ADMISSION)

    def accept(self, listener: Any) -> None:
        """Accepts a new connection, or leaves it."""
        if self._pauses < MOST_PAUSES and self.counts.fewest_elsewhere(self.place, self.nr_conns) < self.nr_conns:
            self._pauses += 1
            time.sleep(PAUSE_SECONDS)
            return
        self._pauses = 0
        super().accept(listener)
        self.counts.set(self.place, self.nr_conns)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """One turn of gunicorn's loop, after which connections may have ended."""
        super().wait_for_and_dispatch_events(timeout)
        if self.admission:
            self.admission.report(at_once=not self.alive)
        if self.alive:
            self.counts.set(self.place, self.nr_conns)
        else:
            self.counts.retire(self.place)

    def enqueue_req(self, conn: Any) -> None:
        """Gives a connection with a request to a thread."""
        self._in_hand += 1
        super().enqueue_req(conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Takes a connection back from its thread."""
        self._in_hand -= 1
        super().finish_request(conn, fs)

    def on_client_socket_readable(self, conn: Any, client: Any) -> None:
        """Takes up the next request of a kept connection, or refuses it."""
        admission = self.admission
        is_full = admission and self._in_hand >= admission.most_requests and self.alive
        if not (admission and is_full and self._refused(admission, conn, client)):
            super().on_client_socket_readable(conn, client)

    def _refused(self, admission: Admission, conn: Any, client: Any) -> bool:
        """Answers the request on a connection if the application refuses it; else leaves it as it was."""
        try:
            received = client.recv(LARGEST_GLANCE, socket.MSG_PEEK)
            request = whole_request(received)
            refusal = request and admission.refusal(request.method, request.path, request.headers, request.body)
            if not refusal:
                return False
            client.recv(len(received))
            answer = _answer(*refusal)
            sent = client.send(answer)
        except OSError:  # what is wrong with the connection the usual way finds out too
            return False
        self.keepalived_conns.remove(conn)
        if sent < len(answer):  # a client that does not read its answers
            self.poller.unregister(client)
            self.nr_conns -= 1
            conn.close()
        else:  # those that are silent for longest stand first
            conn.set_timeout()
            self.keepalived_conns.append(conn)
        return True


def _answer(status: HTTPStatus, headers: Mapping[str, str], body: bytes) -> bytes:
    """A whole answer on a connection that stays."""
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Server: {gunicorn.SERVER}",
        f"Date: {_date(int(time.time()))}",
        "Connection: keep-alive",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
        "",
        "",
    ]
    return "\r\n".join(lines).encode("ascii") + body


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    date: str = http_date(second)
    return date
