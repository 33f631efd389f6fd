"""Connections that clients keep: a thread stays with one for a moment, and no longer."""

import http.client
import socket
from contextlib import ExitStack, closing

import pytest
from support import ADMIN_KEY

THREADS = 2


@pytest.fixture(scope="module")
def service(start_shared_service, database_url):
    environment = {"DATABASE_URL": database_url, "WEB_CONCURRENCY": "1", "WORKER_THREADS": str(THREADS)}
    return start_shared_service(**environment).wait_until_ready()


def get(connection, path="/health"):
    connection.request("GET", path, headers={"X-API-Key": ADMIN_KEY})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_more_connections_than_threads_are_kept_and_each_is_answered_again(service):
    with ExitStack() as stack:
        kept = [
            stack.enter_context(closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)))
            for _ in range(4 * THREADS)
        ]
        for _ in range(3):
            assert [get(connection)[0] for connection in kept] == [200] * len(kept)
        ports = [connection.sock.getsockname()[1] for connection in kept]
        assert [get(connection)[0] for connection in kept] == [200] * len(kept)
        # On the connections that they had from the beginning.
        assert [connection.sock.getsockname()[1] for connection in kept] == ports


def test_requests_that_come_at_once_on_one_connection_are_answered_in_their_order(service):
    paths = ["/health", "/nowhere", "/health", "/nowhere"]
    requests = "".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n" for path in paths)
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(requests.encode())
        reader = connection.makefile("rb")
        statuses = []
        for _ in paths:
            statuses.append(int(reader.readline().split()[1]))
            headers = http.client.parse_headers(reader)
            reader.read(int(headers["Content-Length"]))
    assert statuses == [200, 404, 200, 404]


def test_an_answer_comes_in_one_piece(service):
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        for _ in range(20):
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            head, _, body = connection.recv(65_536).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert body.endswith(b"}\n")
