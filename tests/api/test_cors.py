from contextlib import contextmanager
from dataclasses import replace

import pytest
from support import running

ORIGIN = "https://app.example.com"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type, x-api-key, x-evil",
}


@pytest.fixture
def serve(settings, engine, app):
    @contextmanager
    def serve(*origins):
        with running(replace(settings, cors_origins=origins), engine) as serving:
            yield serving.test_client()

    return serve


def cors_headers(answer):
    return {name for name in answer.headers.keys(lower=True) if name.startswith("access-control-")}


def test_a_page_of_an_allowed_origin_may_ask_without_a_key_and_read_the_answer(serve, admin):
    with serve("https://other.example.com", ORIGIN) as client:
        preflight = client.options("/api/v1/predict", headers=PREFLIGHT)
        assert preflight.status_code == 200
        assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
        assert preflight.headers["Access-Control-Allow-Headers"] == "content-type, x-api-key"
        assert "Access-Control-Allow-Credentials" not in preflight.headers
        answer = client.post("/api/v1/predict", json={"text": "Profit rose."}, headers=admin | {"Origin": ORIGIN})
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert answer.headers["Vary"] == "Origin"
        exposed = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
        own = {name for name, _ in answer.headers if name.startswith("X-") or name == "Server-Timing"}
        assert own - {"X-Content-Type-Options", "X-Frame-Options"} <= exposed


def test_a_page_can_read_why_it_was_refused(serve):
    with serve(ORIGIN) as client:
        refused = client.post("/api/v1/predict", json={"text": "Profit rose."}, headers={"Origin": ORIGIN})
        assert refused.status_code == 401
        assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example.com", f"{ORIGIN}.evil.com", "http://app.example.com", f"{ORIGIN}:8443", "null"],
)
def test_a_page_of_another_origin_gets_no_leave(serve, admin, origin):
    with serve(ORIGIN) as client:
        assert cors_headers(client.options("/api/v1/predict", headers=PREFLIGHT | {"Origin": origin})) == set()
        answer = client.get("/api/v1/predictions", headers=admin | {"Origin": origin})
        assert answer.status_code == 200
        assert cors_headers(answer) == set()


def test_by_default_no_page_gets_leave_and_a_preflight_needs_a_key_like_anything_else(client, admin):
    preflight = client.options("/api/v1/predict", headers=PREFLIGHT)
    assert preflight.status_code == 401
    assert cors_headers(preflight) == set()
    assert cors_headers(client.get("/api/v1/predictions", headers=admin | {"Origin": ORIGIN})) == set()


@pytest.mark.parametrize("origin", ["http://[::1]:3000", "http://localhost:3000"])
def test_an_origin_may_be_an_address(serve, admin, origin):
    with serve(origin) as client:
        answer = client.get("/api/v1/predictions", headers=admin | {"Origin": origin})
        assert answer.headers["Access-Control-Allow-Origin"] == origin


def test_a_star_lets_every_page_in(serve, admin):
    with serve("*") as client:
        assert client.options("/api/v1/predict", headers=PREFLIGHT).headers["Access-Control-Allow-Origin"] == "*"
        answer = client.get("/api/v1/predictions", headers=admin | {"Origin": ORIGIN})
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_what_is_no_preflight_needs_a_key_where_pages_have_leave_too(serve):
    with serve(ORIGIN) as client:
        assert client.options("/api/v1/predict", headers={"Origin": ORIGIN}).status_code == 401
        assert client.options("/api/v1/nowhere", headers=PREFLIGHT).status_code == 404
        assert cors_headers(client.get("/health", headers={"Origin": ORIGIN})) == set()
