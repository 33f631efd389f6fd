from uuid import uuid4

import pytest

from finbert_api.extensions import db


@pytest.fixture
def text():
    """A text that no other test sent."""
    return f"Profit rose at {uuid4()}."


@pytest.fixture
def predict(client, admin, text):
    return lambda **headers: client.post("/api/v1/predict", json={"text": text}, headers=admin | headers)


def rows(app, table):
    with app.app_context():
        return db.session.execute(db.text(f"SELECT count(*) FROM {table}")).scalar_one()


def test_a_deleted_prediction_is_gone_from_everywhere(app, client, admin, predict, text):
    made = predict(**{"Idempotency-Key": "once"}).json
    url = f"/api/v1/predictions/{made['request_id']}"
    assert client.post(f"{url}/feedback", json={"label": "neutral"}, headers=admin).status_code == 200
    gone = client.delete(url, headers=admin)
    assert (gone.status_code, gone.data) == (204, b"")
    assert client.get(url, headers=admin).status_code == 404
    assert client.delete(url, headers=admin).status_code == 404
    assert client.get("/api/v1/predictions", headers=admin).json == {
        "items": [], "next_cursor": None, "total_count": 0
    }  # fmt: skip
    assert text not in client.get("/api/v1/predictions/export", headers=admin).text
    for table in ("predictions", "prediction_feedback", "idempotency_keys"):
        assert rows(app, table) == 0, table


def test_the_scores_of_a_deleted_text_are_computed_anew(client, admin, predict):
    made = predict()
    client.delete(f"/api/v1/predictions/{made.json['request_id']}", headers=admin)
    assert predict().headers["X-Cache"] == "miss"


def test_the_idempotency_key_of_a_deleted_prediction_makes_a_new_one(client, admin, predict):
    made = predict(**{"Idempotency-Key": "once"}).json
    client.delete(f"/api/v1/predictions/{made['request_id']}", headers=admin)
    again = predict(**{"Idempotency-Key": "once"})
    assert again.status_code == 200
    assert again.json["request_id"] != made["request_id"]


def test_other_predictions_of_the_same_text_stay(client, admin, predict):
    first, second = predict().json, predict().json
    client.delete(f"/api/v1/predictions/{first['request_id']}", headers=admin)
    assert client.get("/api/v1/predictions", headers=admin).json["items"] == [second]


def test_a_client_deletes_its_own_predictions_alone_and_an_admin_any(client, admin, make_client_key, text):
    ann, _ = make_client_key("ann")
    bob, _ = make_client_key("bob")
    for owner, others in ((ann, [bob]), (admin, [ann, bob])):
        made = client.post("/api/v1/predict", json={"text": text}, headers=owner).json
        url = f"/api/v1/predictions/{made['request_id']}"
        for other in others:
            assert client.delete(url, headers=other).status_code == 404
        assert client.get(url, headers=owner).status_code == 200
        assert client.delete(url, headers=admin).status_code == 204
        assert client.get(url, headers=owner).status_code == 404
