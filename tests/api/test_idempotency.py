import pytest

from finbert_api.extensions import db

TEXT = "Operating profit rose to EUR 13.1 mn from EUR 8.7 mn."


def predict(client, headers, key, text=TEXT, **body):
    return client.post("/api/v1/predict", json={"text": text} | body, headers=headers | {"Idempotency-Key": key})


def count(client, headers):
    return client.get("/api/v1/predictions", headers=headers).json["total_count"]


def age(app, hours):
    with app.app_context():
        db.session.execute(db.text(f"UPDATE idempotency_keys SET created_at = created_at - interval '{hours} hours'"))
        db.session.commit()


def test_the_same_key_and_body_give_the_same_stored_answer(client, admin):
    first, second = predict(client, admin, '"a-key"'), predict(client, admin, '"a-key"')
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.data == second.data
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.headers["X-Model-Version"] == first.json["model_version"]
    assert client.get(f"/api/v1/predictions/{first.json['request_id']}", headers=admin).json == first.json
    assert count(client, admin) == 1


def test_an_answer_under_a_key_is_as_any_other(client, admin):
    answer = predict(client, admin, "k", source="newswire")
    plain = client.post("/api/v1/predict", json={"text": TEXT, "source": "newswire"}, headers=admin)
    assert list(answer.json) == list(plain.json)
    assert answer.json["scores"] == plain.json["scores"]
    assert {"X-Cache", "X-Model-Version", "Server-Timing"} <= set(answer.headers.keys())


@pytest.mark.parametrize("body", [{"text": "Sales fell."}, {"source": "newswire"}, {"source": ""}])
def test_the_same_key_with_another_body_is_409(client, admin, body):
    first = predict(client, admin, "k")
    other = predict(client, admin, "k", **body)
    assert other.status_code == 409
    assert other.content_type == "application/problem+json"
    assert TEXT not in other.text
    assert predict(client, admin, "k").json == first.json
    assert count(client, admin) == 1


def test_bodies_are_the_same_by_what_they_say_not_by_their_bytes(client, admin):
    headers = admin | {"Idempotency-Key": "k", "Content-Type": "application/json"}
    bodies = ['{"text": "caf\u00e9", "source": null}', '{ "source":null,"text":"caf\\u00e9"}', '{"text": "caf\u00e9"}']
    answers = [client.post("/api/v1/predict", data=body.encode(), headers=headers) for body in bodies]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert len({answer.json["request_id"] for answer in answers}) == 1


def test_keys_of_different_clients_have_nothing_to_do_with_each_other(client, admin, make_client_key):
    ann, _ = make_client_key("ann")
    bob, _ = make_client_key("bob")
    answers = [predict(client, ann, "k"), predict(client, bob, "k", text="Sales fell."), predict(client, admin, "k")]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert len({answer.json["request_id"] for answer in answers}) == 3
    assert predict(client, ann, "k").json == answers[0].json


def test_a_key_counts_for_24_hours(app, client, admin):
    first = predict(client, admin, "k")
    age(app, 23)
    assert predict(client, admin, "k").json == first.json
    age(app, 2)
    later = predict(client, admin, "k", text="Sales fell.")
    assert later.status_code == 200
    assert later.json["request_id"] != first.json["request_id"]
    assert predict(client, admin, "k", text="Sales fell.").json == later.json
    assert count(client, admin) == 2


def test_keys_that_are_over_do_not_pile_up(app, client, admin):
    for number in range(10):
        predict(client, admin, f"old-{number}")
    age(app, 25)
    for number in range(5):
        predict(client, admin, f"new-{number}")
    with app.app_context():
        assert db.session.execute(db.text("SELECT count(*) FROM idempotency_keys")).scalar_one() == 5
    assert count(client, admin) == 15


def test_an_invalid_body_uses_no_key_up(client, admin):
    assert predict(client, admin, "k", text=" ").status_code == 422
    assert predict(client, admin, "k").status_code == 200


def test_quotes_are_the_form_and_not_the_key(client, admin):
    assert predict(client, admin, '"a-key"').json == predict(client, admin, "a-key").json
    assert predict(client, admin, r'"a\"b"').json != predict(client, admin, r'"a\\b"').json


@pytest.mark.parametrize("key", ["x", "k" * 255, f'"{"k" * 255}"', '"with space"', "8e03978e-40d5-43dd"])
def test_a_well_formed_key_is_taken(client, admin, key):
    assert predict(client, admin, key).status_code == 200


@pytest.mark.parametrize(
    "key",
    [
        "", '""', "k" * 256, '"' + "k" * 256 + '"', '"open', 'open"', '"a" "b"', '"a", "b"', "a, b", "a b", '"a";p=1',
        "caf\u00e9", '"caf\u00e9"', r'"a\b"', "a;b",
    ],
)  # fmt: skip
def test_a_malformed_key_is_400_and_predicts_nothing(client, admin, key):
    answer = predict(client, admin, key)
    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json["detail"]
    assert count(client, admin) == 0


def test_the_database_holds_no_key_as_it_was_sent(app, client, admin):
    predict(client, admin, "order-of-mr-smith")
    with app.app_context():
        row = db.session.execute(db.text("SELECT idempotency_keys::text FROM idempotency_keys")).scalar_one()
    assert b"order-of-mr-smith".hex() not in row
    assert TEXT.encode().hex() not in row
