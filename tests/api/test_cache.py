import re
from dataclasses import replace
from uuid import uuid4

import pytest
from support import free_port, running


@pytest.fixture
def text():
    """A text that no other test sent."""
    return f"Profit rose at {uuid4()}."


@pytest.fixture
def predict(client, admin, text):
    return lambda: client.post("/api/v1/predict", json={"text": text}, headers=admin)


def counted(client, name):
    return float(re.search(rf"^{name} (\S+)$", client.get("/metrics").text, re.MULTILINE)[1])


def test_a_text_sent_again_is_answered_from_the_cache_and_stored_as_a_prediction_of_its_own(client, admin, predict):
    first, second = predict(), predict()
    assert [answer.headers["X-Cache"] for answer in (first, second)] == ["miss", "hit"]
    own = ("request_id", "created_at", "latency_ms")
    assert first.json["request_id"] != second.json["request_id"]
    assert [{**answer.json, **dict.fromkeys(own)} for answer in (first, second)] == [
        {**first.json, **dict.fromkeys(own)}
    ] * 2
    for answer in (first, second):
        assert client.get(f"/api/v1/predictions/{answer.json['request_id']}", headers=admin).json == answer.json


def test_an_answer_from_the_cache_claims_no_work_of_the_model(client, predict):
    runs = counted(client, "model_inference_duration_seconds_count")
    predict()
    assert "inference;dur=0.0" in predict().headers["Server-Timing"]
    assert counted(client, "model_inference_duration_seconds_count") == runs + 1


def test_hits_and_misses_are_counted(client, predict):
    hits, misses = counted(client, "cache_hits_total"), counted(client, "cache_misses_total")
    for _ in range(3):
        predict()
    assert counted(client, "cache_misses_total") == misses + 1
    assert counted(client, "cache_hits_total") == hits + 2


def test_a_text_that_differs_in_white_space_or_case_is_another(client, admin, text, predict):
    predict()
    for other in (text + " ", text.upper()):
        answer = client.post("/api/v1/predict", json={"text": other}, headers=admin)
        assert answer.headers["X-Cache"] == "miss"


def test_with_a_time_to_live_of_0_every_text_is_computed_and_no_redis_asked(settings, engine, admin, text):
    nowhere = f"redis://127.0.0.1:{free_port()}"
    with running(replace(settings, cache_ttl_seconds=0, redis_url=nowhere), engine) as app:
        client = app.test_client()
        answers = [client.post("/api/v1/predict", json={"text": text}, headers=admin) for _ in range(2)]
        assert counted(client, "cache_failures_total") == 0
    assert [answer.headers["X-Cache"] for answer in answers] == ["miss", "miss"]
    assert answers[0].json["scores"] == answers[1].json["scores"]
