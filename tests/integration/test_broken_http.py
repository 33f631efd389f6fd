"""Requests that are broken below JSON, byte by byte against the running service."""

import http.client
import socket

import pytest
from support import ADMIN_KEY, gunicorn_with

TEXT = "a client's text"
HEAD = f"POST /api/v1/predict HTTP/1.1\r\nHost: x\r\nX-API-Key: {ADMIN_KEY}\r\nContent-Type: application/json\r\n"


def answer_to(service, request):
    """Everything that comes back until the service closes the connection or has answered."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(request.encode())
        response = http.client.HTTPResponse(connection)
        response.begin()
        with response:
            return response.status, response.read()


@pytest.fixture(scope="module")
def service(start_shared_service, database_url):
    return start_shared_service(DATABASE_URL=database_url).wait_until_ready()


@pytest.fixture
def clean_log(service):
    """No line of the service may quote the client or be an error."""
    yield service
    assert TEXT not in service.output()
    assert ADMIN_KEY not in service.output()
    assert [line for line in service.log_lines() if line["level"] in {"ERROR", "CRITICAL"}] == []


def test_broken_bodies_get_a_clear_answer_and_never_reach_a_log(clean_log):
    chunked = HEAD + "Transfer-Encoding: chunked\r\n\r\n"
    body = f'{{"text": "{TEXT}"}}'
    assert answer_to(clean_log, chunked + body + "\r\n\r\n")[0] == 400
    oversized = "a000\r\n" + "x" * 0xA000 + "\r\n"
    assert answer_to(clean_log, chunked + oversized + body + "\r\n\r\n")[0] == 413
    assert answer_to(clean_log, chunked + "8001\r\n" + "x" * 0x8001 + "\r\n0\r\n\r\n")[0] == 413
    # A body longer than its Content-Length is read as the next request, which is none.
    with socket.create_connection(("127.0.0.1", clean_log.port), timeout=30) as connection:
        connection.sendall(f"{HEAD}Content-Length: 2\r\n\r\n{{}}{body}\r\n\r\n".encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 422")
    assert b"HTTP/1.1 400" in received
    assert clean_log.status_of("/ready") == 200


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/v1/predict", {"X-API-Key": ADMIN_KEY, "Content-Type": "application/json"}, 413),
        ("/api/v1/predict", {"X-API-Key": ADMIN_KEY, "Content-Type": "text/plain"}, 415),
        ("/api/v1/predict", {"Content-Type": "application/json"}, 401),
        ("/nowhere", {}, 404),
    ],
)
def test_a_client_that_sends_10_mb_gets_to_read_why_it_was_refused(clean_log, path, headers, status):
    connection = http.client.HTTPConnection("127.0.0.1", clean_log.port, timeout=30)
    connection.request("POST", path, b'{"text": "' + b"a" * 10_000_000 + b'"}', headers)
    with connection.getresponse() as response:
        assert response.status == status
    connection.close()


@pytest.mark.parametrize(
    ("beginning", "answer"), [(HEAD + 'Content-Length: 100\r\n\r\n{"te', b"HTTP/1.1 400"), (HEAD, b"")]
)
def test_clients_that_fall_silent_do_not_hold_the_service(start_service, database_url, beginning, answer):
    service = start_service(
        command=gunicorn_with(CLIENT_SILENCE_SECONDS=1), DATABASE_URL=database_url, WEB_CONCURRENCY="1",
        WORKER_THREADS="2",
    ).wait_until_ready()  # fmt: skip
    silent = [socket.create_connection(("127.0.0.1", service.port), timeout=60) for _ in range(2)]
    for connection in silent:
        connection.sendall(beginning.encode())
    for connection in silent:
        assert connection.recv(65536)[:12] == answer
        connection.close()
    assert service.status_of("/health") == 200
    assert [line for line in service.log_lines() if line["level"] in {"ERROR", "CRITICAL"}] == []
