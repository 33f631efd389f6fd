"""Plain predictions take a short way, all others Flask's, and nobody can tell by the answer which one."""

import json
from contextlib import contextmanager
from dataclasses import replace

import pytest
from support import running
from werkzeug.test import EnvironBuilder

from finbert_api.api.shortcut import PredictShortcut
from finbert_api.domain.caller import Role
from finbert_api.observability.logging import current_request_id

PREDICT = "/api/v1/predict"
# A query, which no prediction reads, is reason enough for the long way.
LONG_WAY = f"{PREDICT}?way=long"
TEXT = "The company beat earnings expectations and raised full-year guidance."
# What differs between any two requests.
OWN_HEADERS = {"X-Request-ID", "Server-Timing", "X-RateLimit-Remaining", "X-RateLimit-Reset"}
OWN_FIELDS = {"request_id", "prediction_id", "latency_ms", "created_at", "time", "duration_ms"}
OWN_FIELDS |= {"queue_ms", "inference_ms", "storage_ms"}


class Ways:
    """An application's client that tells which way its last request went."""

    def __init__(self, app, monkeypatch):
        assert isinstance(app.wsgi_app, PredictShortcut)
        self.app = app
        self.went = None
        long_way = app.wsgi_app._long_way

        def watched(environ, start_response):
            self.went = "long"
            return long_way(environ, start_response)

        monkeypatch.setattr(app.wsgi_app, "_long_way", watched)

    def post(self, path=PREDICT, **request):
        self.went = "short"
        return self.app.test_client().post(path, **request)


@pytest.fixture
def ways(app, monkeypatch):
    return Ways(app, monkeypatch)


@pytest.fixture
def serve(settings, engine, app, monkeypatch):
    """Serves with other settings or another engine."""

    @contextmanager
    def serving(model=engine, **changes):
        with running(replace(settings, **changes), model) as other:
            yield Ways(other, monkeypatch)

    return serving


def comparable(answer):
    """What two answers to the same request have in common."""
    headers = {name: value for name, value in answer.headers if name not in OWN_HEADERS}
    return answer.status_code, headers, without_own(answer.json)


def without_own(fields):
    return {name: value for name, value in fields.items() if name not in OWN_FIELDS}


def both(ways, **request):
    """The answers to a request on the short and on the long way."""
    short = ways.post(PREDICT, **request)
    assert ways.went == "short"
    long = ways.post(LONG_WAY, **request)
    assert ways.went == "long"
    return short, long


@pytest.mark.parametrize(
    "body",
    [
        {"text": TEXT},
        {"text": TEXT, "source": "newswire"},
        {"source": None, "text": 'Größe "8" 🚀\n'},
        {"text": "x " * 900},
    ],
)
def test_both_ways_give_one_answer(ways, admin, body):
    ways.post(json=body, headers=admin)
    short, long = both(ways, json=body, headers=admin)
    assert comparable(short) == comparable(long)
    assert list(short.json) == list(long.json)
    # The bytes too, but for what is each one's own.
    assert len(short.data) == pytest.approx(len(long.data), abs=4)
    assert {name for name, _ in short.headers} == {name for name, _ in long.headers}


def test_both_ways_write_one_line_and_count_once(ways, admin, log_lines):
    ways.post(json={"text": TEXT}, headers=admin)
    both(ways, json={"text": TEXT}, headers=admin | {"X-Request-ID": "followed.1"})
    _, short, long = log_lines()
    assert short.keys() == long.keys()
    assert without_own(short) == without_own(long)
    assert short["request_id"] == "followed.1"
    listed = ways.app.test_client().get("/api/v1/predictions", headers=admin).json
    assert listed["total_count"] == 3


@pytest.mark.parametrize("is_read", [True, False], ids=["read", "left"])
def test_an_answer_is_counted_and_logged_once_it_is_sent_or_its_client_is_gone(ways, admin, log_lines, is_read):
    request = EnvironBuilder(PREDICT, method="POST", json={"text": TEXT}, headers=admin).get_environ()
    answer = iter(ways.app.wsgi_app(request, lambda *_: None))
    assert json.loads(next(answer))["label"]
    assert log_lines() == []
    if is_read:
        assert next(answer, None) is None
    else:
        answer.close()
    (line,) = log_lines()
    assert (line["message"], line["status"]) == ("request", 200)
    assert line["request_id"] == line["prediction_id"]
    assert current_request_id.get() is None


@pytest.mark.parametrize(
    ("request_", "way"),
    [
        ({}, "short"),
        ({"headers": {"X-Request-ID": "trace-7", "Accept": "text/html", "User-Agent": "x"}}, "short"),
        ({"headers": {"Idempotency-Key": "k"}}, "long"),
        ({"headers": {"Origin": "https://app.example.com"}}, "long"),
        ({"headers": {"Authorization": "Bearer x"}}, "long"),
        ({"headers": {"Content-Encoding": "gzip"}}, "long"),
        ({"headers": {"X-API-Key": "fb_unknown"}}, "long"),
        ({"headers": {"X-API-Key": ""}}, "long"),
        ({"data": '{"text": "x"}', "content_type": "text/plain"}, "long"),
        ({"data": '{"text": "x"}', "content_type": "application/json; charset=utf-8"}, "long"),
        ({"data": '{"text": "x"', "content_type": "application/json"}, "long"),
        ({"data": b'{"text": "\xff"}', "content_type": "application/json"}, "long"),
        ({"data": '{"text": NaN}', "content_type": "application/json"}, "long"),
        ({"data": "[" * 9_000, "content_type": "application/json"}, "long"),
        ({"data": "", "content_type": "application/json"}, "long"),
        ({"environ_overrides": {"CONTENT_LENGTH": "9" * 5_000}}, "long"),
        ({"environ_overrides": {"CONTENT_LENGTH": "-1"}}, "long"),
        ({"json": {"text": " "}}, "long"),
        ({"json": {"text": TEXT, "more": 1}}, "long"),
        ({"json": {"text": "x" * 2_001}}, "long"),
        ({"json": {"text": "x", "source": "y" * 40_000}}, "long"),
    ],
)
def test_only_what_is_plain_and_right_takes_the_short_way(ways, admin, request_, way):
    headers = admin | request_.get("headers", {})
    body = {"json": {"text": TEXT}} if "data" not in request_ else {}
    answer = ways.post(**body | request_ | {"headers": headers})
    assert ways.went == way
    assert answer.status_code < 500
    # What went the long way was read on the short one before: nothing of it may be lost.
    again = ways.app.test_client().post(LONG_WAY, **body | request_ | {"headers": headers})
    assert (answer.status_code, answer.content_type) == (again.status_code, again.content_type)
    assert without_own(answer.json) == without_own(again.json)


def test_a_key_that_the_database_knows_takes_the_short_way_from_its_second_request_on(ways, make_client_key):
    headers, key_id = make_client_key()
    taken = []
    for _ in range(2):
        assert ways.post(json={"text": TEXT}, headers=headers).status_code == 200
        taken.append(ways.went)
    assert taken == ["long", "short"]
    ways.app.extensions["finbert"].api_keys.take_uses()
    ways.post(json={"text": TEXT}, headers=headers)
    assert key_id in ways.app.extensions["finbert"].api_keys.take_uses()


def test_both_ways_count_into_one_limit(serve, admin):
    with serve(rate_limit_predict="3/minute") as ways:
        headers = {"X-API-Key": key_of(ways.app)}
        answers = [ways.post(path, json={"text": TEXT}, headers=headers) for path in (PREDICT, PREDICT, LONG_WAY)]
        assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0"]
        refused = ways.post(json={"text": TEXT}, headers=headers)
        assert (refused.status_code, ways.went) == (429, "long")


def key_of(app):
    with app.app_context():
        return app.extensions["finbert"].api_keys.create("a client", Role.CLIENT)[1]


class FailingEngine:
    """An engine with a defect."""

    model_version, identity, backlog_seconds = "v1", "0" * 64, 0.0

    def submit(self, text, deadline):
        raise RuntimeError("a defect")

    def close(self):
        pass


def test_a_defect_is_answered_and_logged_as_on_the_long_way(serve, admin, capsys):
    with serve(FailingEngine(), rate_limit_predict="9/minute") as ways:
        short, long = both(ways, json={"text": TEXT}, headers=admin)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert short.status_code == 500
    assert comparable(short) == comparable(long)
    assert short.headers["X-RateLimit-Remaining"] == "8"
    assert short.headers["X-Request-ID"] == short.json["request_id"]
    assert [line["message"].split(" [")[0] for line in lines[-4:]] == [f"Exception on {PREDICT}", "request"] * 2


def test_a_late_answer_is_told_as_on_the_long_way(serve, admin):
    with serve(request_timeout_seconds=0) as ways:
        short, long = both(ways, json={"text": TEXT}, headers=admin)
    assert short.status_code == 504
    assert comparable(short) == comparable(long)
    assert short.content_type == "application/problem+json"
