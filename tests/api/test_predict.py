import re
from uuid import UUID

import pytest

TEXT = "The company beat earnings expectations and raised full-year guidance."


def predict(client, headers, **body):
    return client.post("/api/v1/predict", json=body, headers=headers)


def test_a_prediction_has_the_contracts_fields(client, admin):
    response = predict(client, admin, text=TEXT, source="newswire")
    assert response.status_code == 200
    body = response.json
    assert list(body) == [
        "request_id", "text", "source", "label", "scores", "confidence", "sentiment_score", "model_version",
        "latency_ms", "token_count", "truncated", "created_at",
    ]  # fmt: skip
    assert body["text"] == TEXT
    assert body["source"] == "newswire"
    assert body["label"] == "positive"
    assert body["confidence"] == max(body["scores"].values()) == body["scores"]["positive"]
    assert sum(body["scores"].values()) == pytest.approx(1, abs=0.0002)
    assert body["sentiment_score"] == pytest.approx(body["scores"]["positive"] - body["scores"]["negative"], abs=1e-9)
    assert all(re.fullmatch(r"\d\.\d{1,4}", str(score)) for score in body["scores"].values())
    assert body["truncated"] is False
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["created_at"])
    assert UUID(body["request_id"]).version == 7


def test_a_prediction_is_found_again_exactly_as_it_was_answered(client, admin):
    made = predict(client, admin, text=TEXT).json
    found = client.get(f"/api/v1/predictions/{made['request_id']}", headers=admin)
    assert found.status_code == 200
    assert found.json == made


def test_the_headers_tell_model_and_timing(client, admin):
    response = predict(client, admin, text=TEXT)
    assert response.headers["X-Model-Version"] == response.json["model_version"]
    assert re.fullmatch(
        r"queue;dur=[\d.]+, inference;dur=[\d.]+, storage;dur=[\d.]+", response.headers["Server-Timing"]
    )
    assert "X-Storage-Warning" not in response.headers


def test_the_request_id_is_the_predictions_id_unless_the_client_brings_one(client, admin):
    response = predict(client, admin, text=TEXT)
    assert response.headers["X-Request-ID"] == response.json["request_id"]
    response = predict(client, admin | {"X-Request-ID": "my-trace.7"}, text=TEXT)
    assert response.headers["X-Request-ID"] == "my-trace.7"
    assert UUID(response.json["request_id"]).version == 7


@pytest.mark.parametrize(
    "text",
    [
        "🚀🚀 to the moon",
        "公司利润大幅增长，股价上涨。",
        "ارتفعت أرباح الشركة",
        " ." * 1000,
        "x",
        "a" * 2000,
        "profit " * 285,
        "line\nbreaks\tand \u200b zero width",
        "'; DROP TABLE predictions; --",
    ],
)
def test_unusual_texts_are_served_and_kept_character_for_character(client, admin, text):
    made = predict(client, admin, text=text)
    assert made.status_code == 200
    assert client.get(f"/api/v1/predictions/{made.json['request_id']}", headers=admin).json["text"] == text


def test_a_text_of_more_tokens_than_the_model_reads_is_told_as_truncated(client, admin):
    body = predict(client, admin, text="e.g. " * 400).json
    assert body["token_count"] == 512
    assert body["truncated"] is True


def test_the_same_text_gives_the_same_scores(client, admin):
    assert predict(client, admin, text=TEXT).json["scores"] == predict(client, admin, text=TEXT).json["scores"]


@pytest.mark.parametrize("source", [None, "", "s" * 100])
def test_a_source_may_be_left_out_empty_or_long(client, admin, source):
    made = predict(client, admin, text=TEXT, source=source)
    assert made.status_code == 200
    assert made.json["source"] == source
