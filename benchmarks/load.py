"""The load generator: a process of its own that sends prediction requests over kept connections and times the answers.

`python -m benchmarks.load` reads a Load as JSON from standard input and writes what it measured as JSON. It shares the
processors with what it measures, so it does nothing twice: requests are put together from ready-made bytes, one loop
serves all connections, and of an answer it reads the status, the length, and two headers.

Closed loop: so many clients, each sends its next request when it has its answer. Open loop: requests leave at random
moments of a given mean rate whether or not the earlier ones were answered, as they do where clients do not know of
each other.
"""

import errno
import json
import random
import selectors
import socket
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

MOST_CONNECTIONS = 4_000
HEAD_END = b"\r\n\r\n"
# Serial numbers have as many digits all, so that requests of a sentence have one length.
FIRST_SERIAL, LAST_SERIAL = 1_000_000, 9_999_999
_RECEIVED_BYTES = 65_536
_SEED = 11


@dataclass(frozen=True, slots=True)
class Load:
    """What to send where. `body` holds {text} where the JSON string goes.

    With `rate` (requests a second) the loop is open and `clients` does not count. Every text has a serial number of
    its own from `first_serial` on; `repeated` sends each sentence with the same number always. What is answered in the
    first `warm_up` seconds is not part of the figures, nor is what is answered after `seconds` more; connections with
    no answer `patience` seconds after that have failed. `lengths` are the tokens of each sentence as it is sent.
    """

    port: int
    sentences: Sequence[str]
    lengths: Sequence[int] = ()
    headers: dict[str, str] = field(default_factory=dict)
    path: str = "/api/v1/predict"
    body: str = '{"text": {text}}'
    clients: int = 1
    rate: float = 0.0
    warm_up: float = 1.0
    seconds: float = 5.0
    patience: float = 40.0
    first_serial: int = FIRST_SERIAL
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of a load.

    Rates (answers 200 a second, and the tokens of their texts) and latencies (milliseconds, of answers 200) are of the
    window; the counts are of the whole time: requests sent, answers by status, connections that broke or never
    answered, and of the answers 200 those from the cache and those with a storage warning. `unsent` requests of an open
    loop found all connections taken.
    """

    rate: float
    token_rate: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    sent: int
    statuses: dict[str, int]
    connection_errors: int
    unsent: int
    cache_hits: int
    storage_warnings: int

    @property
    def answered(self) -> int:
        """Answers 200 in all."""
        return self.statuses.get("200", 0)

    @property
    def failed(self) -> int:
        """Requests of the whole time that were not answered with 200."""
        return self.sent - self.answered


def run_load(load: Load) -> Measured:
    """Sends the load from a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        cwd=Path(__file__).parent.parent,
        input=json.dumps(asdict(load)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Measured(**json.loads(done.stdout))


@dataclass(eq=False, slots=True)
class _Connection:
    """A connection and, while a request is out on it, when it was due, what is not sent of it, what came of the answer.

    The loop waits until the connection takes more while `writing`.
    """

    socket: socket.socket
    due: float = 0.0
    waiting: bool = False
    unsent: bytes = b""
    writing: bool = False
    received: bytes = b""
    tokens: int = 0


class _Generator:
    """Sends one load and collects what comes back."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._requests = [_request_parts(load, sentence) for sentence in load.sentences]
        self._selector = selectors.DefaultSelector()
        self._idle: deque[_Connection] = deque()
        self._open = 0
        self._out = 0
        self._sent = 0
        self._statuses: Counter[int] = Counter()
        self._errors = self._unsent = self._hits = self._warnings = 0
        self._latencies: list[float] = []
        self._tokens = 0

    def run(self) -> Measured:
        """Sends until the time is over, then waits for what is still out."""
        load = self._load
        begun = time.perf_counter()
        self._window = (begun + load.warm_up, begun + load.warm_up + load.seconds)
        if load.rate:
            self._run_open(begun)
        else:
            for _ in range(load.clients):
                self._send()
            while time.perf_counter() < self._window[1] and self._open:
                self._receive(0.05, resend=True)
        while self._out and time.perf_counter() < self._window[1] + load.patience:
            self._receive(0.05)
        self._errors += self._out
        return self._measured()

    def _run_open(self, begun: float) -> None:
        chance = random.Random(_SEED)  # noqa: S311 - moments, no secrets
        due = begun
        while due < self._window[1]:
            now = time.perf_counter()
            if due <= now:
                # Latency counts from when the request was due: a generator that lags may not hide a wait.
                self._send(due)
                due += chance.expovariate(self._load.rate)
            else:
                self._receive(due - now)
            if self._sent % 16 == 0:
                self._receive(0)

    def _send(self, due: float | None = None) -> None:
        """Sends the next request, which counts from when it was due or, without that, from when it leaves."""
        number = self._sent
        if self._idle:
            connection = self._idle.pop()
        elif self._open < MOST_CONNECTIONS:
            connection = self._connect()
        else:
            self._unsent += 1
            return
        sentence = number % len(self._requests)
        head, tail = self._requests[sentence]
        offset = sentence if self._load.repeated else number
        if self._load.lengths:
            connection.tokens = self._load.lengths[sentence]
        self._sent += 1
        self._out += 1
        connection.waiting = True
        connection.unsent = b"%b%d%b" % (head, self._load.first_serial + offset, tail)
        connection.due = time.perf_counter() if due is None else due
        self._write(connection)

    def _connect(self) -> _Connection:
        """A connection that is being made: nothing waits for it here."""
        made = socket.socket()
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.connect_ex(("127.0.0.1", self._load.port))
        connection = _Connection(made)
        self._selector.register(made, selectors.EVENT_READ, connection)
        self._open += 1
        return connection

    def _write(self, connection: _Connection) -> None:
        """Sends what the connection takes, and the rest when it takes more."""
        try:
            sent = connection.socket.send(connection.unsent)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            if error.errno != errno.ENOTCONN:  # still being made
                self._drop(connection)
                return
            sent = 0
        connection.unsent = connection.unsent[sent:]
        if connection.writing is not bool(connection.unsent):
            connection.writing = not connection.writing
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.writing else 0)
            self._selector.modify(connection.socket, events, connection)

    def _receive(self, wait: float, *, resend: bool = False) -> None:
        for key, events in self._selector.select(wait):
            connection: _Connection = key.data
            if events & selectors.EVENT_WRITE:
                self._write(connection)
                continue
            try:
                chunk = connection.socket.recv(_RECEIVED_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                chunk = b""
            now = time.perf_counter()  # before anything is made of it: what this takes is not the server's
            if not chunk:
                self._drop(connection)
            else:
                connection.received += chunk
                if not self._finish(connection, now):
                    continue
            if resend:
                self._send()

    def _drop(self, connection: _Connection) -> None:
        """Ends a connection; one that a request was out on has failed it."""
        if connection.waiting:
            self._out -= 1
            self._errors += 1
        elif connection in self._idle:
            self._idle.remove(connection)
        self._selector.unregister(connection.socket)
        connection.socket.close()
        self._open -= 1

    def _finish(self, connection: _Connection, now: float) -> bool:
        """Takes a whole answer off the connection, if there is one by now."""
        end = connection.received.find(HEAD_END)
        if end < 0:
            return False
        head = connection.received[:end].lower()
        length = int(head.partition(b"content-length:")[2].split(None, 1)[0])
        if len(connection.received) < end + len(HEAD_END) + length:
            return False
        status = int(head[9:12])
        self._statuses[status] += 1
        self._out -= 1
        connection.waiting, connection.received = False, b""
        if status == 200:  # noqa: PLR2004 - of HTTP; http.HTTPStatus costs a look-up here
            self._hits += b"x-cache: hit" in head
            self._warnings += b"x-storage-warning" in head
            if self._window[0] <= now < self._window[1]:
                self._latencies.append(now - connection.due)
                self._tokens += connection.tokens
        if b"connection: close" in head:
            self._drop(connection)
        else:
            self._idle.append(connection)
        return True

    def _measured(self) -> Measured:
        ordered = sorted(self._latencies)

        def percentile(share: float) -> float:
            return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1_000, 3) if ordered else 0.0

        return Measured(
            rate=round(len(ordered) / self._load.seconds, 2),
            token_rate=round(self._tokens / self._load.seconds, 2),
            p50_ms=percentile(0.5),
            p95_ms=percentile(0.95),
            p99_ms=percentile(0.99),
            sent=self._sent,
            statuses={str(status): count for status, count in sorted(self._statuses.items())},
            connection_errors=self._errors,
            unsent=self._unsent,
            cache_hits=self._hits,
            storage_warnings=self._warnings,
        )


def _request_parts(load: Load, sentence: str) -> tuple[bytes, bytes]:
    """The bytes before and after the serial number of a text."""
    mark = "\0"
    text = json.dumps(f"{sentence} ({mark})")
    body_head, body_tail = load.body.replace("{text}", text).encode().split(json.dumps(mark)[1:-1].encode())
    lines = [f"POST {load.path} HTTP/1.1", f"Host: 127.0.0.1:{load.port}", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in load.headers.items()]
    lines.append(f"Content-Length: {len(body_head) + len(str(FIRST_SERIAL)) + len(body_tail)}")
    return "\r\n".join(lines).encode() + HEAD_END + body_head, body_tail


def main() -> None:
    """Runs the load on standard input."""
    document: dict[str, Any] = json.load(sys.stdin)
    json.dump(asdict(_Generator(Load(**document)).run()), sys.stdout)


if __name__ == "__main__":
    main()
