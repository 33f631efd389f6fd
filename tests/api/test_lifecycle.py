import json
import logging

import pytest

SECRET_TEXT = "A client's text that nobody may find in a log"


def test_every_answer_has_its_id_and_the_security_headers(client, admin):
    for response in (client.get("/health"), client.get("/nowhere"), client.get("/api/v1/predictions", headers=admin)):
        assert response.headers["X-Request-ID"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Frame-Options"] == "DENY"
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("given", ["", "has space", "a" * 129, "-starts-wrong", 'quote"', "new\u00e9"])
def test_an_ill_formed_request_id_is_replaced(client, given):
    assert client.get("/health", headers={"X-Request-ID": given}).headers["X-Request-ID"] != given


def test_one_line_per_request_and_no_text_or_key_in_it(client, admin, log_lines):
    response = client.post("/api/v1/predict", json={"text": SECRET_TEXT, "source": SECRET_TEXT}, headers=admin)
    prediction = response.json  # its line is written once it is sent
    client.post("/api/v1/predict", json={"text": 5, SECRET_TEXT: 1}, headers=admin)
    client.get(f"/api/v1/predictions?label={SECRET_TEXT}", headers=admin)
    client.get(f"/{SECRET_TEXT}")
    client.get("/health", headers={"X-API-Key": SECRET_TEXT, "X-Request-ID": SECRET_TEXT, "User-Agent": SECRET_TEXT})
    lines = log_lines()
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("POST", "/api/v1/predict", 200),
        ("POST", "/api/v1/predict", 422),
        ("GET", "/api/v1/predictions", 422),
        ("GET", "none", 404),
        ("GET", "/health", 200),
    ]
    assert lines[0]["request_id"] == response.headers["X-Request-ID"]
    assert lines[0]["prediction_id"] == prediction["request_id"]
    assert lines[0]["key_id"] == "00000000-0000-0000-0000-000000000000"
    assert lines[0]["duration_ms"] > 0
    everything = json.dumps(lines)
    assert SECRET_TEXT not in everything
    assert "nobody may find" not in everything
    assert admin["X-API-Key"] not in everything


def test_a_defect_is_a_500_that_reveals_nothing_and_is_logged_once(app, client, admin, log_lines, monkeypatch):
    def fail(*_args, **_kwargs):
        raise RuntimeError("the inner secret")

    monkeypatch.setattr(type(app.extensions["finbert"].history), "page", fail)
    response = client.get("/api/v1/predictions", headers=admin)
    assert response.status_code == 500
    assert response.content_type == "application/problem+json"
    assert "inner secret" not in response.text
    errors = [line for line in log_lines() if line["level"] == "ERROR"]
    assert len(errors) == 1
    assert "RuntimeError: the inner secret" in errors[0]["exc_info"]
    assert errors[0]["request_id"] == response.json["request_id"]


def test_made_up_methods_and_paths_do_not_become_metrics(client):
    client.open("/made-up-path", method="MADEUP")
    figures = client.get("/metrics").text
    assert 'http_requests_total{method="other",route="none",status="404"}' in figures
    assert "MADEUP" not in figures
    assert "made-up-path" not in figures


def test_log_levels_follow_the_setting(log_lines):
    logging.getLogger("finbert_api.x").debug("seen at DEBUG")
    assert [line["message"] for line in log_lines()] == ["seen at DEBUG"]
