"""gunicorn's threaded worker, but for seven things.

Connections are spread evenly over the workers: clients keep theirs, and a worker has its own share of the processors.
Whichever worker happens to be awake takes a new connection; measured with 16 clients and two workers, one of them now
and then took all 16 and the service answered half of what it can. A worker that has more all the same, since another
one was replaced, closes some after their answers: their clients come back to the one that has fewer.

Where there is a worker for each of the machine's processors, each keeps to one: what its threads hand to each other
stays there, and none waits behind another worker's computation while its own processor idles.

A client that is silent in the middle of a request, its head included, is given up: it would hold a thread for ever.

What an overloaded application refuses costs next to nothing: a whole request that is there, on a kept connection, is
answered where it is noticed, without a thread, a parser and an environment for it. Measured with five times the load,
the service then answered 0.93 instead of 0.78 of what it does at its best.

A thread that answered a request stays with its connection for a moment: many clients send the next one at once, and the
way through the worker's loop and back to a thread costs a fifth of an answer from the cache.

The head of an answer leaves with its body: two sends wake the client twice and give up Python's lock twice.

gunicorn's settings are plain attributes: it reads them some thirty times a request, and looks each one up anew by a
function of Python's. That is a sixteenth of an answer from the cache.
"""

import mmap
import os
import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Protocol

import gunicorn
from gunicorn.http import wsgi
from gunicorn.util import http_date
from gunicorn.workers.gthread import ThreadWorker

from finbert_api.client_socket import ClientSocket
from finbert_api.settings import allowed_processors
from finbert_api.whole_request import whole_request

ADMISSION = "finbert_admission"
_COUNT = struct.Struct("i")
_NOBODY = -1
PAUSE_SECONDS = 0.0005
# A worker that has fewer connections and does not take one for so many pauses is busy or gone.
MOST_PAUSES = 10
# More than the longest request that can be refused so.
LARGEST_GLANCE = 64 * 1024
# How long a thread waits for a connection's next request: longer than a client on a near host takes to send it.
LINGER_MILLISECONDS = 20
# How long a worker that is full leaves its connections alone, to refuse at one go what comes meanwhile. Woken for each,
# the refusals of five times the load took 120 core-ms a second instead of 80; after 50 ms new connections starved.
PAUSE_WHEN_FULL_SECONDS = 0.02
# By how many connections, and by what part of its own, a worker may have more than another one.
TOLERATED_SURPLUS, TOLERATED_SHARE = 1, 8


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


def processors_for(workers: int) -> list[int]:
    """The machine's processors if that many workers may have one each, else none: others may be kept to them too."""
    processors = sorted(allowed_processors())
    return processors if len(processors) == workers == os.cpu_count() else []


class OwnProcessors:
    """Which processor each worker keeps to; the master decides, and knows workers by their age."""

    def __init__(self, processors: Sequence[int]) -> None:
        self._processors = processors
        self._taken: dict[int, int] = {}

    def take(self, age: int) -> int | None:
        """One that the fewest workers have, for a worker about to be forked; None when they keep to none."""
        if not self._processors:
            return None
        workers = Counter(self._taken.values())
        self._taken[age] = min(self._processors, key=workers.__getitem__)
        return self._taken[age]

    def leave(self, age: int) -> None:
        """Forgets a worker that ended."""
        self._taken.pop(age, None)


def fix_settings(settings: Any) -> None:
    """Makes plain attributes of gunicorn's settings, which from here on may not change any more."""
    kept = {name: setting.get() for name, setting in settings.settings.items() if not hasattr(type(settings), name)}
    vars(settings).update(kept)


class HeadWithBody:
    """What an answer is written to: keeps its first piece, the head, until there is a second one."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._head: bytes | None = None
        self._is_first = True

    def sendall(self, piece: bytes) -> None:
        """Sends a piece, after what is kept."""
        if self._is_first:
            self._head, self._is_first = piece, False
            return
        self._connection.sendall((self._head or b"") + piece)
        self._head = None

    def flush(self) -> None:
        """Sends what is kept: an answer can have no body."""
        if self._head:
            self._connection.sendall(self._head)
            self._head = None


class WholeResponse(wsgi.Response):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's response, its head and the beginning of its body in one send."""

    def __init__(self, req: Any, sock: Any, cfg: Any) -> None:
        super().__init__(req, HeadWithBody(sock), cfg)

    def can_sendfile(self) -> bool:
        """No: the kernel would send a file's bytes before the head."""
        return False

    def close(self) -> None:
        """Ends the response."""
        super().close()
        self.sock.flush()


# Where gunicorn's threaded worker takes its responses from.
wsgi.Response = WholeResponse


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Shares connections evenly with the other workers, and refuses at once what the application is too full for."""

    counts: ConnectionCounts
    place: int
    processor: int | None
    silence_seconds: float
    admission: Admission | None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._pauses = 0
        self._in_hand = 0
        self._lingering: set[Any] = set()
        self._given_away: set[Any] = set()

    def load_wsgi(self) -> None:
        """Makes the application."""
        fix_settings(self.cfg)  # in the worker: the master reads its own anew when it is reloaded
        super().load_wsgi()
        self.admission = getattr(self.wsgi, "extensions", {}).get(ADMISSION)
        self._keep_to_processor()

    def _keep_to_processor(self) -> None:
        """Binds this thread, those that it starts from now on, and the application's; not those of ONNX Runtime's own.

        Called once the application is there: what it asks about the processors it is to ask of all of them.
        """
        if self.processor is None:
            return
        # The main thread by what the kernel calls the caller: Python knows the one that it was forked from.
        others = [thread.native_id for thread in threading.enumerate() if thread is not threading.main_thread()]
        for native_id in (0, *others):
            with suppress(OSError):  # a thread that ended, or a sandbox that forbids it
                os.sched_setaffinity(native_id or 0, {self.processor})

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
        if self._is_full():
            time.sleep(PAUSE_WHEN_FULL_SECONDS)
        super().wait_for_and_dispatch_events(timeout)
        if self.admission:
            self.admission.report(at_once=not self.alive)
        if self.alive:
            self.counts.set(self.place, self.nr_conns)
        else:
            self.counts.retire(self.place)

    def enqueue_req(self, conn: Any) -> None:
        """Gives a connection with a request to a thread."""
        if not isinstance(conn.sock, ClientSocket):
            conn.sock = ClientSocket(conn.sock, self.silence_seconds)
        self._in_hand += 1
        super().enqueue_req(conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Takes a connection back from its thread."""
        self._in_hand -= 1
        self._given_away.discard(conn)
        super().finish_request(conn, fs)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answers a request, the last one of its connection when another worker should have that."""
        if self._has_more_than_its_share():
            self._given_away.add(conn)
            req.force_close()
        return super().handle_request(req, conn)

    def _has_more_than_its_share(self) -> bool:
        kept: int = self.nr_conns - len(self._given_away)
        surplus = kept - self.counts.fewest_elsewhere(self.place, kept)
        return surplus > max(TOLERATED_SURPLUS, kept // TOLERATED_SHARE)

    def handle(self, conn: Any) -> Any:
        """Answers a connection's request, and those that follow at once. Runs in a thread.

        Gives what gunicorn's own does: whether the connection is kept.
        """
        kept = super().handle(conn)
        while kept is True and self._next_is_near(conn):
            kept = super().handle(conn)
        return kept

    def _next_is_near(self, conn: Any) -> bool:
        """Waits for the next request of a kept connection, for a moment and only while most threads have nothing to do.

        Bytes that were read with the last request are left to gunicorn's own way.
        """
        if not self.alive or self._in_hand > self.cfg.threads // 2 or conn.parser.unreader.buf.getvalue():
            return False
        readable = select.poll()
        readable.register(conn.sock, select.POLLIN)
        self._lingering.add(conn)
        try:
            # In a worker that has become full meanwhile, the request is one for its loop to judge.
            return bool(readable.poll(LINGER_MILLISECONDS)) and self.alive and not self._is_full()
        finally:
            self._lingering.discard(conn)

    def _is_full(self) -> bool:
        """Whether as many requests are answered as the application takes before it asks for refusals."""
        admission = self.admission
        return admission is not None and self._in_hand - len(self._lingering) >= admission.most_requests

    def on_client_socket_readable(self, conn: Any, client: Any) -> None:
        """Takes up the next request of a kept connection, or refuses it."""
        admission = self.admission
        if not (admission and self.alive and self._is_full() and self._refused(admission, conn, client)):
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
