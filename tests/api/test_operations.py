from dataclasses import replace

import pytest
from support import running

from finbert_api import __version__
from finbert_api.inference.unavailable_engine import UnavailableEngine


def test_health_says_up_since_when_and_which_version(client):
    response = client.get("/health")
    assert response.status_code == 200
    assert response.json["status"] == "ok"
    assert response.json["version"] == __version__
    assert response.json["uptime_seconds"] >= 0


def test_ready_names_the_model(client, engine):
    response = client.get("/ready")
    assert response.status_code == 200
    assert response.json == {"model_loaded": True, "db_connected": True, "model_version": engine.model_version}


@pytest.fixture
def without_model(settings, app):
    with running(settings, UnavailableEngine()) as bare:
        yield bare.test_client()


def test_without_a_model_nothing_is_ready_and_nothing_predicted(without_model, admin):
    assert without_model.get("/health").status_code == 200
    ready = without_model.get("/ready")
    assert ready.status_code == 503
    assert ready.json == {"model_loaded": False, "db_connected": True, "model_version": None}
    refused = without_model.post("/api/v1/predict", json={"text": "Profit rose."}, headers=admin)
    assert refused.status_code == 503
    assert refused.content_type == "application/problem+json"
    assert int(refused.headers["Retry-After"]) > 0


def test_without_a_database_it_is_alive_but_not_ready(settings, engine, admin):
    away = replace(settings, database_url="postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    with running(away, engine) as app:
        client = app.test_client()
        assert client.get("/health").status_code == 200
        ready = client.get("/ready")
        assert ready.status_code == 503
        assert ready.json["db_connected"] is False
        unreadable = client.get("/api/v1/predictions", headers=admin)
        assert unreadable.status_code == 503
        assert "127.0.0.1" not in unreadable.text


def test_metrics_are_prometheus_text(client, admin):
    client.post("/api/v1/predict", json={"text": "Profit rose."}, headers=admin)
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response.content_type.startswith("text/plain")
    for name in (
        "http_requests_total",
        "http_request_duration_seconds_count",
        "model_predictions_total",
        "model_inference_duration_seconds_count",
        "db_write_failures_total",
    ):
        assert f"\n{name}" in response.text
