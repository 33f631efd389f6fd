import re

import pytest

from finbert_api.extensions import db


@pytest.fixture
def made(client, admin):
    return client.post("/api/v1/predict", json={"text": "Profit rose."}, headers=admin).json


def say(client, headers, request_id, label="neutral"):
    return client.post(f"/api/v1/predictions/{request_id}/feedback", json={"label": label}, headers=headers)


def said(app):
    with app.app_context():
        return db.session.execute(db.text("SELECT request_id::text, label FROM prediction_feedback")).all()


@pytest.mark.parametrize("label", ["positive", "negative", "neutral"])
def test_feedback_is_kept_and_answered(app, client, admin, made, label):
    answer = say(client, admin, made["request_id"], label)
    assert answer.status_code == 200
    assert list(answer.json) == ["request_id", "label", "created_at"]
    assert answer.json["request_id"] == made["request_id"]
    assert answer.json["label"] == label
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer.json["created_at"])
    assert said(app) == [(made["request_id"], label)]


def test_a_key_has_one_say_which_it_may_change(app, client, admin, made):
    first = say(client, admin, made["request_id"], "neutral").json
    second = say(client, admin, made["request_id"], "negative").json
    assert second["created_at"] >= first["created_at"]
    assert said(app) == [(made["request_id"], "negative")]


def test_owner_and_admin_each_have_a_say(app, client, admin, make_client_key):
    ann, _ = make_client_key("ann")
    made = client.post("/api/v1/predict", json={"text": "Profit rose."}, headers=ann).json
    assert say(client, ann, made["request_id"], "neutral").status_code == 200
    assert say(client, admin, made["request_id"], "positive").status_code == 200
    assert sorted(label for _, label in said(app)) == ["neutral", "positive"]


def test_nobody_annotates_anothers_prediction(app, client, made, make_client_key):
    ann, _ = make_client_key("ann")
    assert say(client, ann, made["request_id"]).status_code == 404
    assert said(app) == []


def test_the_prediction_itself_stays_as_it_was(client, admin, made):
    say(client, admin, made["request_id"], "negative")
    assert client.get(f"/api/v1/predictions/{made['request_id']}", headers=admin).json == made


def test_an_unknown_prediction_is_404(client, admin):
    assert say(client, admin, "00000000-0000-0000-0000-000000000000").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {}, {"label": "great"}, {"label": None}, {"label": []}, {"label": {}}, {"label": 1},
        {"label": "neutral", "x": 1},
    ],
)  # fmt: skip
def test_an_invalid_body_is_422(app, client, admin, made, body):
    answer = client.post(f"/api/v1/predictions/{made['request_id']}/feedback", json=body, headers=admin)
    assert answer.status_code == 422
    assert answer.json["errors"]
    assert said(app) == []
