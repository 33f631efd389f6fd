"""What bad input gets: the right status, problem details that name the field, nothing stored, no error logged."""

import json

import pytest

from finbert_api.extensions import db

PREDICT = "/api/v1/predict"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def costs_nothing(app, client, admin, log_lines):
    """After every request of this module nothing is stored and nothing logged as an error."""
    yield
    assert client.get("/api/v1/predictions", headers=admin).json["total_count"] == 0
    assert [line for line in log_lines() if line["level"] in {"ERROR", "CRITICAL"}] == []


def assert_problem(response, status, field=None):
    assert response.status_code == status, response.text
    assert response.content_type == "application/problem+json"
    problem = response.json
    assert problem["status"] == status
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == response.headers["X-Request-ID"]
    if field:
        assert list(problem["errors"]) == [field]
        assert field in problem["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": None}, "text"),
        ({"text": ""}, "text"),
        ({"text": " \t\n\u00a0\u2003"}, "text"),
        ({"text": 7}, "text"),
        ({"text": True}, "text"),
        ({"text": ["profit"]}, "text"),
        ({"text": {"a": 1}}, "text"),
        ({"text": "a" * 2001}, "text"),
        ({"text": "a\0b"}, "text"),
        ({"text": "half \ud83d of a pair"}, "text"),
        ({"text": "fine", "source": "s" * 101}, "source"),
        ({"text": "fine", "source": 1}, "source"),
        ({"text": "fine", "source": "\0"}, "source"),
        ({"text": "fine", "source": "\udfff"}, "source"),
        ({"text": "fine", "label": "positive"}, "label"),
        ([], "body"),
        ("text", "body"),
        (None, "body"),
        (3, "body"),
    ],
)
def test_an_invalid_body_is_422_and_names_the_field(client, admin, body, field):
    assert_problem(client.post(PREDICT, data=json.dumps(body), headers=admin | JSON), 422, field)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"text=profit", b"{", b'{"text": "a",}', b'{"text": NaN}', b'{"text": Infinity}', b"\xff\xfe{}",
        b'{"text": "\xff"}', b"[" * 20_000, b'{"text": 1' + b"0" * 10_000 + b"}",
    ],
)  # fmt: skip
def test_a_body_that_is_not_json_is_400(client, admin, body):
    assert_problem(client.post(PREDICT, data=body, headers=admin | JSON), 400)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/x", None])
def test_a_body_of_another_type_is_415(client, admin, content_type):
    assert_problem(client.post(PREDICT, data='{"text": "a"}', headers=admin, content_type=content_type), 415)


@pytest.mark.parametrize("headers", [{"Content-Type": "application/vnd.api+json"}, JSON | {"Content-Encoding": "gzip"}])
def test_other_json_and_compressed_json_are_415(client, admin, headers):
    assert_problem(client.post(PREDICT, data='{"text": "a"}', headers=admin | headers), 415)


def test_a_large_body_is_413(client, admin):
    assert_problem(client.post(PREDICT, data=b'{"text": "' + b"a" * 10_000_000 + b'"}', headers=admin | JSON), 413)


def test_the_longest_valid_body_fits(client, admin, app):
    body = '{"text": "' + "\\ud83d\\ude80" * 2000 + '", "source": "' + "\\ud83d\\ude80" * 100 + '"}'
    response = client.post(PREDICT, data=body, headers=admin | JSON)
    assert response.status_code == 200
    # The one request of this module that is stored; the table is left as the fixture wants it.
    with app.app_context():
        db.session.execute(db.text("TRUNCATE predictions CASCADE"))
        db.session.commit()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"), ("limit=101", "limit"), ("limit=-1", "limit"), ("limit=1.5", "limit"),
        ("limit=1_0", "limit"), ("limit=%D9%A1", "limit"), ("limit=", "limit"), ("limit=99999999999999999999", "limit"),
        ("cursor=x", "cursor"), ("cursor=", "cursor"), ("cursor=%00", "cursor"),
        ("cursor={00000000-0000-0000-0000-000000000000}", "cursor"),
        ("source=" + "s" * 101, "source"), ("source=%00", "source"), ("model_version=%00", "model_version"),
        ("since=yesterday", "since"), ("since=", "since"), ("since=2026-01-31", "since"),
        ("since=2026-01-31T09:30:00", "since"), ("until=2026-02-30T09:30:00Z", "until"), ("until=1e9", "until"),
        ("label=great", "label"), ("label=POSITIVE", "label"), ("label=", "label"), ("page=2", "page"),
    ],
)  # fmt: skip
def test_an_invalid_query_is_422_and_names_the_parameter(client, admin, query, field):
    assert_problem(client.get(f"/api/v1/predictions?{query}", headers=admin), 422, field)


@pytest.mark.parametrize("request_id", ["00000000-0000-0000-0000-000000000000", "x", "0", "%00", "../../etc/passwd"])
def test_an_unknown_prediction_is_404(client, admin, request_id):
    assert_problem(client.get(f"/api/v1/predictions/{request_id}", headers=admin), 404)


def test_the_404_of_a_prediction_says_so(client, admin):
    missing = client.get("/api/v1/predictions/00000000-0000-0000-0000-000000000000", headers=admin)
    assert missing.json["detail"] == "Prediction not found"


@pytest.mark.parametrize(("method", "path"), [("GET", PREDICT), ("DELETE", "/health"), ("PUT", "/api/v1/predictions")])
def test_a_wrong_method_is_405_and_names_the_right_ones(client, admin, method, path):
    response = client.open(path, method=method, headers=admin)
    assert_problem(response, 405)
    assert response.headers["Allow"]


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-API-Key": ""}, {"X-API-Key": "wrong"}, {"X-API-Key": "caf\u00e9"}, {"Authorization": "Bearer x"}],
)
@pytest.mark.parametrize("body", ['{"text": "fine"}', "not json"])
def test_no_key_or_a_wrong_one_is_401_before_the_body_is_read(client, headers, body):
    response = client.post(PREDICT, data=body, headers=headers | JSON)
    assert_problem(response, 401)
    assert response.headers["WWW-Authenticate"]
