import json

import pytest
from scripted_service import PREDICTION, READY
from support import free_port

from finbert_api.deployment.deadline import Deadline
from finbert_api.deployment.errors import DeploymentRefused, SmokeTestFailed
from finbert_api.deployment.smoke import SmokeTest

NOT_READY = READY | {"model_loaded": False, "model_version": None}


def test_a_service_that_is_well_passes(smoke_test, answers):
    said = []
    smoke_test.run(Deadline(10), said.append)
    assert [route for route, *_ in answers.requests] == ["GET /ready", "POST /api/v1/predict", "GET /health"]
    _, headers, body = answers.requests[1]
    assert headers["X-API-Key"] == "the-key"
    assert "text" in json.loads(body)
    assert said == ["ready with finbert-1", "predicts, keeps and is healthy"]


def test_the_key_goes_where_it_is_needed_alone(smoke_test, answers):
    smoke_test.run(Deadline(10), lambda _: None)
    assert [route for route, headers, _ in answers.requests if "X-API-Key" in headers] == ["POST /api/v1/predict"]


def test_it_waits_until_a_model_is_loaded_and_says_each_state_once(smoke_test, answers):
    answers.by_route["GET /ready"] = [
        (503, NOT_READY, {}),
        (503, NOT_READY, {}),
        (200, NOT_READY, {}),
        (200, READY, {}),
    ]
    said = []
    smoke_test.run(Deadline(10), said.append)
    assert len(said) == 4
    assert "503" in said[0]
    assert "answers 200" in said[1]


def test_a_service_that_never_gets_ready_fails_at_the_deadline(smoke_test, answers):
    answers.by_route["GET /ready"] = [(503, NOT_READY, {})]
    with pytest.raises(SmokeTestFailed, match=r'not ready within 0 s: GET /ready answers 503 .*"model_loaded": false'):
        smoke_test.run(Deadline(0.1), lambda _: None)


def test_a_service_that_is_not_there_fails_at_the_deadline():
    with pytest.raises(SmokeTestFailed, match=r"GET http://127\.0\.0\.1:\d+/ready: .*refused"):
        SmokeTest(f"http://127.0.0.1:{free_port()}", "key").run(Deadline(0.1), lambda _: None)


@pytest.mark.parametrize(
    ("route", "answer", "reason"),
    [
        ("POST /api/v1/predict", (401, {"title": "Unauthorized"}, {}), "answers 401"),
        ("POST /api/v1/predict", (200, PREDICTION | {"label": "good"}, {}), "answers 200"),
        ("POST /api/v1/predict", (200, PREDICTION | {"scores": {"positive": 1.0}}, {}), "answers 200"),
        (
            "POST /api/v1/predict",
            (200, PREDICTION | {"scores": {"positive": 0.9, "negative": 0.9, "neutral": 0.0}}, {}),
            "answers 200",
        ),
        (
            "POST /api/v1/predict",
            (200, PREDICTION | {"scores": {"positive": "a", "negative": 0.9, "neutral": 0.0}}, {}),
            "answers 200",
        ),
        ("POST /api/v1/predict", (200, [1], {}), "answers 200"),
        ("POST /api/v1/predict", (200, PREDICTION, {"X-Storage-Warning": "write_failed"}), "was not kept"),
        ("POST /api/v1/predict", (302, {}, {"Location": "http://127.0.0.1:1/"}), "answers 302"),
        ("POST /api/v1/predict", (200, b"<html>", {}), "answers 200 without JSON"),
        ("GET /health", (200, {"status": "ill"}, {}), "GET /health answers 200"),
        ("GET /health", (500, {}, {}), "GET /health answers 500"),
    ],
)
def test_a_wrong_answer_fails_and_is_named(smoke_test, answers, route, answer, reason):
    answers.by_route[route] = [answer]
    with pytest.raises(SmokeTestFailed, match=reason):
        smoke_test.run(Deadline(10), lambda _: None)


def test_a_path_in_the_address_is_kept(answers):
    SmokeTest(f"{answers.url}/stage/", "key").run(Deadline(10), lambda _: None)
    assert all(route.split()[1].startswith("/stage/") for route, *_ in answers.requests)


@pytest.mark.parametrize("url", ["", "service.example", "ftp://service.example", "https://", "http://a:b"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(DeploymentRefused, match="not the address of a service"):
        SmokeTest(url, "key")
