"""The load generator against a server that answers as the test says: what it sends, and what it counts."""

import json
import threading
import time
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import pytest

from benchmarks.load import FIRST_SERIAL, Load, run_load

pytestmark = pytest.mark.benchmark

SENTENCES = ["Profit rose.", 'Sales "fell" in Zürich by 5 %.']


@contextmanager
def answering(answer):
    """A server on a port; `answer(number)` gives a request's status and headers by its number, or None to hang up."""
    texts, connections, numbers = [], set(), count()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                number = next(numbers)
                texts.append(json.loads(body)["text"])
                connections.add(self.client_address)
            told = answer(number)
            if told is None:
                self.close_connection = True
                return
            status, headers = told
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, texts, connections
        server.shutdown()
        thread.join()


def short(port, **changes):
    return Load(port, SENTENCES, **{"warm_up": 0.0, "seconds": 0.3, "patience": 5.0} | changes)


def test_each_client_keeps_its_connection_and_no_text_is_sent_twice():
    with answering(lambda _: (200, {})) as (port, texts, connections):
        measured = run_load(short(port, clients=3))

    assert len(connections) == 3
    assert measured.sent == measured.answered == len(texts) == len(set(texts))
    assert min(texts) == f"Profit rose. ({FIRST_SERIAL})"
    assert any(text.startswith('Sales "fell" in Zürich by 5 %. (') for text in texts)
    assert measured.rate > 0
    assert 0 < measured.p50_ms <= measured.p95_ms <= measured.p99_ms


def test_repeated_texts_are_the_same_few():
    with answering(lambda _: (200, {})) as (port, texts, _):
        run_load(short(port, clients=2, repeated=True))

    assert len(texts) > 2
    assert len(set(texts)) == len(SENTENCES)


def test_answers_are_counted_by_status_and_by_what_their_headers_say():
    kinds = [(200, {}), (503, {}), (200, {"X-Cache": "hit"}), (200, {"X-Storage-Warning": "write_failed"})]
    with answering(lambda number: kinds[number % 4]) as (port, texts, _):
        measured = run_load(short(port))

    expected = Counter(kinds[number % 4][0] for number in range(len(texts)))
    assert measured.statuses == {str(status): times for status, times in expected.items()}
    assert measured.failed == expected[503]
    assert measured.cache_hits == len(range(2, len(texts), 4))
    assert measured.storage_warnings == len(range(3, len(texts), 4))


def test_tokens_are_those_of_the_texts_that_were_answered():
    with answering(lambda number: (200 if number % 2 else 503, {})) as (port, _, _):
        measured = run_load(short(port, lengths=[10_000, 7]))

    assert measured.rate > 0
    assert measured.token_rate == pytest.approx(7 * measured.rate, rel=0.01)


def test_a_connection_that_breaks_is_counted_and_replaced():
    with answering(lambda number: None if number == 2 else (200, {})) as (port, texts, connections):
        measured = run_load(short(port))

    assert measured.connection_errors == 1
    assert measured.answered == len(texts) - 1
    assert len(connections) == 2


def test_an_open_loop_sends_on_while_nothing_is_answered():
    released = threading.Event()

    def answer(number):
        # Nobody is answered before the tenth request has come.
        if number >= 9:
            released.set()
        released.wait(10)
        return 200, {}

    with answering(answer) as (port, texts, _):
        measured = run_load(short(port, rate=100.0, seconds=1.0))

    assert measured.sent == len(texts) == measured.answered
    assert len(texts) >= 10
    # The rate is that of the moments, not of the answers.
    assert 50 < len(texts) < 200


def test_nothing_listens():
    with answering(lambda _: (200, {})) as (port, *_):
        pass
    measured = run_load(short(port, rate=50.0))

    assert measured.answered == 0
    assert measured.connection_errors == measured.sent > 0


@pytest.mark.parametrize("clients", [1, 4])
def test_what_is_answered_while_it_warms_up_is_not_timed(clients):
    begun = time.monotonic()
    with answering(lambda _: (200, {})) as (port, texts, _):
        measured = run_load(short(port, clients=clients, warm_up=0.3, seconds=0.1))

    assert measured.rate * 0.1 < len(texts)
    assert time.monotonic() - begun > 0.4
