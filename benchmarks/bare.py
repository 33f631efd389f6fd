"""The least that a JSON route can be in this service's own web stack: Flask under the same gunicorn settings.

Served as `gunicorn -c python:finbert_api.gunicorn_conf benchmarks.bare:app`. It reads the body, as any route with one
must, and answers a prediction's worth of constant JSON.
"""

from flask import Flask, Response, jsonify, request

ANSWER = {
    "request_id": "01938f3c-0000-7000-8000-000000000000",
    "text": "The company beat earnings expectations and raised full-year guidance. (1000000)",
    "source": None,
    "label": "positive",
    "scores": {"positive": 0.9412, "negative": 0.0201, "neutral": 0.0387},
    "confidence": 0.9412,
    "sentiment_score": 0.9211,
    "model_version": "random-bert-base-int8",
    "latency_ms": 0.1,
    "token_count": 18,
    "truncated": False,
    "created_at": "2026-11-21T12:00:00.000Z",
}

app = Flask(__name__, static_folder=None)


@app.post("/predict")
def predict() -> Response:
    """The constant answer to a JSON body."""
    request.get_json()
    return jsonify(ANSWER)


@app.get("/ready")
def ready() -> Response:
    """Says that it serves."""
    return jsonify({"status": "ready"})
