"""A worker whose threads are all taken: what it refuses, and what it still does."""

import http.client
import json
import socket
from contextlib import closing, contextmanager
from itertools import count

import pytest
from support import ADMIN_KEY, gunicorn_with, wait_for

KNOWN, UNKNOWN = "Profit rose.", "Profit fell."
ORIGIN = "https://app.example.com"


# One worker with two threads, one of which may wait for the model.
NARROW = {"WEB_CONCURRENCY": "1", "WORKER_THREADS": "2", "CORS_ORIGINS": ORIGIN}
# A text that found room is known from then on, and never refused: the next try takes the next number.
TRIES = count()


@pytest.fixture(scope="module")
def service(start_shared_service, database_url):
    """A service with little room; no test may make UNKNOWN known to it."""
    return start_shared_service(DATABASE_URL=database_url, **NARROW).wait_until_ready()


class Client:
    """A client that keeps its connection, and sends each request in one piece: what comes in two is not refused."""

    def __init__(self, service):
        self._socket = socket.create_connection(("127.0.0.1", service.port), timeout=30)

    def send(self, method, path, body=None, **headers):
        content = (json.dumps(body) if isinstance(body, dict) else body or "").encode()
        headers = {"Host": "x", "X-API-Key": ADMIN_KEY, "Content-Type": "application/json"} | headers
        lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
        head = f"{method} {path} HTTP/1.1\r\n{''.join(lines)}Content-Length: {len(content)}\r\n\r\n"
        self._socket.sendall(head.encode() + content)
        answer = http.client.HTTPResponse(self._socket, method=method)
        answer.begin()
        return answer, json.loads(answer.read())

    def predict(self, text, **headers):
        return self.send("POST", "/api/v1/predict", {"text": text}, **headers)

    def close(self):
        self._socket.close()


@pytest.fixture
def client(service):
    """A client that is connected already."""
    with closing(Client(service)) as client:
        assert client.predict(KNOWN)[0].status == 200
        yield client


@contextmanager
def silent_client(service, client):
    """A client that does not send its body holds a thread."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as slow:
        slow.sendall(
            f"POST /api/v1/predict HTTP/1.1\r\nHost: x\r\nX-API-Key: {ADMIN_KEY}\r\n"
            "Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{".encode()
        )
        wait_for(lambda: client.predict(f"{next(TRIES)} {UNKNOWN}")[0].status == 503, "the thread to be taken")
        yield


@pytest.fixture
def full(service, client):
    """The service while it has no room."""
    with silent_client(service, client):
        yield service


def test_a_prediction_without_room_is_refused_like_any_error(full, client):
    answer, problem = client.predict(UNKNOWN, **{"X-Request-ID": "mine"})
    assert (answer.status, answer.headers["Content-Type"]) == (503, "application/problem+json")
    assert problem == {
        "type": "about:blank", "title": "Service Unavailable", "status": 503,
        "detail": "Too many texts are waiting; try again later", "request_id": "mine",
    }  # fmt: skip
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["X-Request-ID"] == "mine"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    (line,) = wait_for(
        lambda: [line for line in full.log_lines() if "mine" in line.get("request_ids", [])], "the refusal's line"
    )
    assert (line["message"], line["route"], line["status"]) == ("requests refused", "/api/v1/predict", 503)
    assert line["requests"] == len(line["request_ids"])
    assert line["key_ids"]
    assert UNKNOWN not in full.output()
    counted = full.request("GET", "/metrics")[2].decode()
    assert 'http_requests_total{method="POST",route="/api/v1/predict",status="503"}' in counted


def test_what_needs_no_room_is_answered(full, client):
    answer, prediction = client.predict(KNOWN)
    assert (answer.status, answer.headers["X-Cache"], prediction["label"]) == (200, "hit", "positive")
    assert client.send("GET", "/health")[0].status == 200
    assert client.send("GET", f"/api/v1/predictions/{prediction['request_id']}")[1] == prediction


def test_a_page_of_another_origin_can_read_its_answer(full, client):
    assert client.predict(UNKNOWN, Origin=ORIGIN)[0].headers["Access-Control-Allow-Origin"] == ORIGIN


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ({"text": UNKNOWN}, {"X-API-Key": "unknown"}, 401),
        ({"text": UNKNOWN}, {"X-API-Key": ""}, 401),
        ("{", {}, 400),
        ('{"text": "\\ud800"}', {}, 422),
        ({"text": 1}, {}, 422),
        ({}, {}, 422),
        ({"text": UNKNOWN}, {"Content-Type": "text/plain"}, 415),
        ({"text": UNKNOWN}, {"Content-Encoding": "gzip"}, 415),
    ],
)
def test_other_faults_are_told_as_ever(full, client, body, headers, status):
    assert client.send("POST", "/api/v1/predict", body, **headers)[0].status == status


def test_a_request_in_pieces_is_answered_in_full(full):
    with socket.create_connection(("127.0.0.1", full.port), timeout=30) as connection:
        body = json.dumps({"text": KNOWN}).encode()
        head = (
            f"POST /api/v1/predict HTTP/1.1\r\nHost: x\r\nX-API-Key: {ADMIN_KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        for _ in range(2):
            connection.sendall(head + body[:5])
            connection.sendall(body[5:])
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert (answer.status, json.loads(answer.read())["label"]) == (200, "positive")


def test_there_is_room_again(start_service, database_url):
    impatient = gunicorn_with(CLIENT_SILENCE_SECONDS=3)
    service = start_service(command=impatient, DATABASE_URL=database_url, **NARROW).wait_until_ready()
    with closing(Client(service)) as client, silent_client(service, client):
        assert client.predict(UNKNOWN)[0].status == 503
        wait_for(lambda: client.predict(UNKNOWN)[0].status == 200, "the silent client to be given up")
