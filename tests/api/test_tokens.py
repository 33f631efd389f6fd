"""Tokens: short-lived, signed, and never more than their key."""

import time
from dataclasses import replace

import jwt
import pytest
from support import JWT_SECRET, running

from finbert_api.inference.unavailable_engine import UnavailableEngine

TOKEN = "/api/v1/auth/token"
PREDICTIONS = "/api/v1/predictions"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def client_key(make_client_key):
    return make_client_key()


@pytest.fixture
def token(client, client_key):
    return client.post(TOKEN, headers=client_key[0]).json["access_token"]


def forged(key_id, secret=JWT_SECRET, algorithm="HS256", **claims):
    """A token as the service makes them, but for what is given."""
    now = int(time.time())
    ours = {"iss": "finbert-api", "aud": "finbert-api", "sub": str(key_id), "iat": now, "exp": now + 60}
    claims = {name: value for name, value in (ours | claims).items() if value is not None}
    return jwt.encode(claims, secret, algorithm)


def test_a_token_stands_for_its_key(client, client_key, token):
    headers, key_id = client_key
    response = client.post(TOKEN, headers=headers)
    assert response.status_code == 200
    assert response.json["token_type"] == "Bearer"
    assert response.json["expires_in"] == 900
    assert response.headers["Cache-Control"] == "no-store"
    made = client.post("/api/v1/predict", json={"text": "Profit rose."}, headers=bearer(token)).json
    assert client.get(f"{PREDICTIONS}/{made['request_id']}", headers=headers).json == made
    assert client.get("/api/v1/keys", headers=bearer(token)).status_code == 403
    claims = jwt.decode(token, JWT_SECRET, ["HS256"], audience="finbert-api")
    assert claims["sub"] == str(key_id)
    assert claims["exp"] - claims["iat"] == 900


def test_a_token_dies_with_its_key(client, app, admin, client_key, token):
    assert client.get(PREDICTIONS, headers=bearer(token)).status_code == 200
    assert client.delete(f"/api/v1/keys/{client_key[1]}", headers=admin).status_code == 204
    refused = client.get(PREDICTIONS, headers=bearer(token))
    assert refused.status_code == 401
    assert "Bearer" in refused.headers["WWW-Authenticate"]


def test_a_token_gets_no_other_token(client, token):
    assert client.post(TOKEN, headers=bearer(token)).status_code == 403


def test_a_forged_token_as_ours_would_be_taken(client, client_key):
    assert client.get(PREDICTIONS, headers=bearer(forged(client_key[1]))).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"secret": "another-secret-that-is-long-enough-for-it"},
        {"algorithm": "none", "secret": None},
        {"iss": "someone-else"},
        {"aud": "someone-else"},
        {"aud": None},
        {"iss": None},
        {"sub": None},
        {"exp": None},
        {"iat": None},
        {"exp": int(time.time()) - 60},
        {"exp": "soon"},
        {"iat": int(time.time()) + 600},
        {"sub": "ann"},
        {"sub": "00000000-0000-0000-0000-000000000000"},
        {"sub": "00000000-0000-0000-0000-000000000007"},
    ],
)
def test_a_token_that_is_not_ours_is_refused(client, client_key, changes):
    refused = client.get(PREDICTIONS, headers=bearer(forged(client_key[1], **changes)))
    assert refused.status_code == 401
    assert refused.content_type == "application/problem+json"


def test_the_algorithm_is_pinned_though_the_secret_is_right(client, client_key):
    for algorithm in ("HS384", "HS512"):
        with pytest.warns(jwt.InsecureKeyLengthWarning):
            token = forged(client_key[1], algorithm=algorithm)
        assert client.get(PREDICTIONS, headers=bearer(token)).status_code == 401


@pytest.mark.parametrize(
    "value", ["Bearer", "Bearer ", "Bearer x", "Bearer a=b", "Basic YTpi", "Bearer " + "a." * 2000, "x"]
)
def test_what_is_no_token_is_refused(client, app, value):
    assert client.get(PREDICTIONS, headers={"Authorization": value}).status_code == 401


def test_a_key_goes_before_a_token(client, client_key, token):
    assert client.get(PREDICTIONS, headers=client_key[0] | bearer("x")).status_code == 200
    assert client.get(PREDICTIONS, headers={"X-API-Key": "unknown"} | bearer(token)).status_code == 401


def test_tokens_of_the_bootstrap_key_end_when_its_secret_changes(client, app, admin, settings):
    token = client.post(TOKEN, headers=admin).json["access_token"]
    assert client.get("/api/v1/keys", headers=bearer(token)).status_code == 200
    for other in ("another-bootstrap-key", None):
        with running(replace(settings, api_key=other), UnavailableEngine()) as changed:
            assert changed.test_client().get("/api/v1/keys", headers=bearer(token)).status_code == 401


def test_without_a_secret_there_are_no_tokens_and_the_answer_says_why(app, admin, settings, token):
    with running(replace(settings, jwt_secret=None), UnavailableEngine()) as without:
        refused = without.test_client().post(TOKEN, headers=admin)
        assert refused.status_code == 404
        assert "JWT_SECRET" in refused.json["detail"]
        assert without.test_client().get(PREDICTIONS, headers=bearer(token)).status_code == 401


def test_no_token_and_no_key_reaches_the_log(client, app, log_lines, client_key, token):
    client.get(PREDICTIONS, headers=bearer(token))
    client.get(PREDICTIONS, headers=bearer(token[:-4]))
    client.post(TOKEN, headers=client_key[0])
    text = str(log_lines())
    assert "request" in text
    assert token.split(".")[1] not in text
    assert client_key[0]["X-API-Key"] not in text
