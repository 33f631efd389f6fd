"""No client can read, list, export, delete, annotate or count what another client's key predicted."""

from types import SimpleNamespace

import pytest

TEXT = "Profit of the client who was here first rose by a third."
SOURCE = "the first client's own words"
OTHER = {"text": "Sales fell."}

# For each endpoint: method, path and body of what an intruder may try, and the status it gets; None: its key gets
# another than its token. {id} is the prediction of another, {after} an id that pages go on from to reach it.
ATTEMPTS = {
    "predictions.predict": [("POST", "/predict", OTHER, 200), ("POST", "/predict", {"text": " "}, 422)],
    "batch.predict_batch": [("POST", "/predict/batch", {"items": [OTHER, {"text": "{id}"}]}, 200)],
    "documents.analyze": [("POST", "/analyze", OTHER, 200)],
    "documents.explain": [("POST", "/explain", OTHER, 200)],
    "predictions.get_prediction": [("GET", "/predictions/{id}", None, 404)],
    "predictions.delete_prediction": [("DELETE", "/predictions/{id}", None, 404)],
    "feedback.give_feedback": [("POST", "/predictions/{id}/feedback", {"label": "negative"}, 404)],
    "predictions.list_predictions": [
        ("GET", "/predictions", None, 200),
        ("GET", "/predictions?cursor={after}", None, 200),
        ("GET", "/predictions?label=positive", None, 200),
        ("GET", "/predictions?source={source}", None, 200),
        ("GET", "/predictions?since=2020-01-01T00:00:00Z&until=2100-01-01T00:00:00Z", None, 200),
    ],
    "export.export_predictions": [
        ("GET", "/predictions/export", None, 200),
        ("GET", "/predictions/export?source={source}&label=positive", None, 200),
    ],
    "analytics.summary": [
        ("GET", "/analytics/summary", None, 200),
        ("GET", "/analytics/summary?source={source}", None, 200),
    ],
    "analytics.timeseries": [("GET", "/analytics/timeseries", None, 200)],
    "analytics.versions": [("GET", "/analytics/versions", None, 200)],
    "analytics.accuracy": [("GET", "/analytics/accuracy", None, 200)],
    "keys.list_keys": [("GET", "/keys", None, 403)],
    "keys.create_key": [("POST", "/keys", {"name": "intruder", "role": "admin"}, 403)],
    "keys.revoke_key": [("DELETE", "/keys/{key_id}", None, 403)],
    "tokens.create_token": [("POST", "/auth/token", None, None)],
}
READING = [name for name, [(method, _, _, status), *_] in ATTEMPTS.items() if (method, status) == ("GET", 200)]
# What tells the owner of a prediction, where the prediction itself is not part of the answer.
TELLING = {
    "analytics.summary": '"predictions":1',
    "analytics.timeseries": '"predictions":1',
    "analytics.versions": '"predictions":1',
    "analytics.accuracy": '"feedback":1',
}


@pytest.fixture
def first(client, make_client_key):
    """A client that has a prediction, made with an Idempotency-Key, and has said what it should be."""
    headers, key_id = make_client_key("the first client")
    sent = headers | {"Idempotency-Key": '"1"'}
    made = client.post("/api/v1/predict", json={"text": TEXT, "source": SOURCE}, headers=sent).json
    said = client.post(
        f"/api/v1/predictions/{made['request_id']}/feedback", json={"label": "positive"}, headers=headers
    )
    assert said.status_code == 200
    later = client.post("/api/v1/predict", json=OTHER, headers=headers).json["request_id"]
    assert client.delete(f"/api/v1/predictions/{later}", headers=headers).status_code == 204
    names = {"id": made["request_id"], "after": later, "source": SOURCE, "key_id": str(key_id)}
    return SimpleNamespace(headers=headers, names=names, made=made)


@pytest.fixture(params=["key", "token"])
def intruder(request, client, make_client_key):
    """Another client, which shows its key or a token of it."""
    headers, _ = make_client_key("an intruder")
    if request.param == "key":
        return headers
    return {"Authorization": f"Bearer {client.post('/api/v1/auth/token', headers=headers).json['access_token']}"}


@pytest.fixture
def attempt(client, first):
    """Sends an attempt as somebody and gives the answer."""

    def send(method, path, body, headers, **more):
        return client.open(f"/api/v1{path.format(**first.names)}", method=method, json=body, headers=headers | more)

    return send


def test_every_route_is_attempted(app):
    routes = {rule.endpoint.removeprefix("v1.") for rule in app.url_map.iter_rules() if rule.endpoint.startswith("v1.")}
    assert set(ATTEMPTS) == routes


@pytest.mark.parametrize("endpoint", ATTEMPTS)
def test_a_client_gets_nothing_of_anothers_prediction(client, first, intruder, attempt, endpoint):
    listed = client.get("/api/v1/predictions", headers=first.headers).json
    for method, path, body, status in ATTEMPTS[endpoint]:
        answer = attempt(method, path, body, intruder)
        assert status in (answer.status_code, None), f"{method} {path}: {answer.text}"
        for secret in (TEXT, SOURCE, first.made["request_id"], first.names["key_id"]):
            assert secret not in answer.text, f"{method} {path}"
        for field in ("total_count", "predictions", "feedback"):
            assert (answer.json or {}).get(field, 0) == 0, f"{method} {path}"
    assert client.get("/api/v1/predictions", headers=first.headers).json == listed
    accuracy = client.get("/api/v1/analytics/accuracy", headers=first.headers).json
    assert (accuracy["feedback"], accuracy["confusion"]["positive"]["positive"]) == (1, 1)


@pytest.mark.parametrize("endpoint", READING)
def test_the_same_requests_show_the_client_its_own(first, attempt, endpoint):
    for method, path, body, _ in ATTEMPTS[endpoint]:
        answer = attempt(method, path, body, first.headers)
        assert TELLING.get(endpoint, TEXT) in answer.text, f"{method} {path}"


def test_an_idempotency_key_of_another_tells_nothing(client, first, intruder):
    for body in (OTHER, {"text": TEXT, "source": SOURCE}):
        sent = intruder | {"Idempotency-Key": '"1"'}
        answer = client.post("/api/v1/predict", json=body, headers=sent)
        assert answer.status_code == (200 if body is OTHER else 409)  # its own, which it used for another body
        assert (answer.json or {}).get("request_id") != first.made["request_id"]
        assert "Idempotency-Replayed" not in answer.headers


def test_an_admin_sees_all(client, first, admin):
    found = client.get(f"/api/v1/predictions/{first.made['request_id']}", headers=admin)
    assert found.json == first.made
    assert client.get("/api/v1/predictions", headers=admin).json["items"] == [first.made]
