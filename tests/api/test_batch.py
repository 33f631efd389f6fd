"""POST /predict/batch: each item for itself, all in one go."""

import json
from uuid import UUID

import pytest

BATCH = "/api/v1/predict/batch"
JSON = {"Content-Type": "application/json"}
TEXT = "The company beat earnings expectations and raised full-year guidance."


def post(client, headers, items):
    return client.post(BATCH, json={"items": items}, headers=headers)


def total(client, headers):
    return client.get("/api/v1/predictions", headers=headers).json["total_count"]


def test_each_item_is_predicted_and_stored_as_if_it_had_come_alone(client, admin):
    items = [{"text": TEXT, "source": "newswire"}, {"text": "The company cut its guidance after a surprise loss."}]
    response = post(client, admin, items)
    assert response.status_code == 200
    answer = response.json
    assert (list(answer), answer["succeeded"], answer["failed"]) == (["items", "succeeded", "failed"], 2, 0)
    assert [item["label"] for item in answer["items"]] == ["positive", "negative"]
    assert [(item["text"], item["source"]) for item in answer["items"]] == [
        (TEXT, "newswire"), (items[1]["text"], None)
    ]  # fmt: skip
    for item in answer["items"]:
        assert client.get(f"/api/v1/predictions/{item['request_id']}", headers=admin).json == item
    alone = client.post("/api/v1/predict", json=items[0], headers=admin)
    assert alone.headers["X-Cache"] == "hit"
    assert list(alone.json) == list(answer["items"][0])
    assert alone.json["scores"] == answer["items"][0]["scores"]


def test_the_headers_tell_model_and_timing(client, admin):
    response = post(client, admin, [{"text": TEXT}])
    assert response.headers["X-Model-Version"] == response.json["items"][0]["model_version"]
    assert [stage.split(";")[0] for stage in response.headers["Server-Timing"].split(", ")] == [
        "queue", "inference", "storage"
    ]  # fmt: skip
    assert "X-Storage-Warning" not in response.headers


def test_ids_follow_the_order_of_the_items(client, admin):
    answer = post(client, admin, [{"text": f"Item {number}."} for number in range(100)]).json
    ids = [item["request_id"] for item in answer["items"]]
    assert ids == sorted(ids)
    assert {UUID(request_id).version for request_id in ids} == {7}
    assert [item["text"] for item in answer["items"]] == [f"Item {number}." for number in range(100)]
    assert total(client, admin) == 100


def test_equal_items_are_predictions_of_their_own(client, admin):
    answer = post(client, admin, [{"text": TEXT}] * 3).json
    assert len({item["request_id"] for item in answer["items"]}) == 3
    assert len({str(item["scores"]) for item in answer["items"]}) == 1
    assert total(client, admin) == 3


BAD = [
    ({}, "text"), ({"text": ""}, "text"), ({"text": " \n"}, "text"), ({"text": 7}, "text"),
    ({"text": "a" * 2001}, "text"), ({"text": "a\0b"}, "text"), ({"text": "half \ud83d"}, "text"),
    ({"text": "fine", "source": "s" * 101}, "source"), ({"text": "fine", "label": "positive"}, "label"),
    (None, "body"), ([], "body"), ("fine", "body"), (3, "body"),
]  # fmt: skip


def test_a_bad_item_gets_its_error_and_the_others_go_on(client, admin, log_lines):
    items = [{"text": "first"}, *(item for item, _ in BAD), {"text": "last"}]
    response = client.post(BATCH, data=json.dumps({"items": items}), headers=admin | JSON)
    assert response.status_code == 200
    answer = response.json
    assert (answer["succeeded"], answer["failed"]) == (2, len(BAD))
    assert [answer["items"][place]["text"] for place in (0, -1)] == ["first", "last"]
    for index, ((_, field), item) in enumerate(zip(BAD, answer["items"][1:-1], strict=True), start=1):
        assert list(item) == ["index", "error"]
        assert item["index"] == index
        error = item["error"]
        assert (error["status"], error["title"], list(error["errors"])) == (422, "Unprocessable Entity", [field])
        assert error["detail"].startswith(f"{field}: ")
        assert error["request_id"] == response.headers["X-Request-ID"]
    assert total(client, admin) == 2
    assert [line for line in log_lines() if line["level"] == "ERROR"] == []


def test_the_error_of_an_item_is_what_it_would_get_alone(client, admin):
    item = {"text": "", "source": 3}
    alone = client.post("/api/v1/predict", json=item, headers=admin).json
    error = post(client, admin, [item]).json["items"][0]["error"]
    assert {name: error[name] for name in error if name != "request_id"} == {
        name: alone[name] for name in alone if name != "request_id"
    }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "items"), ({"items": None}, "items"), ({"items": []}, "items"), ({"items": {}}, "items"),
        ({"items": "a"}, "items"), ({"items": [{"text": "a"}] * 101}, "items"),
        ({"items": [{"text": "a"}], "more": 1}, "more"), ([], "body"),
    ],
)  # fmt: skip
def test_a_body_that_is_no_batch_is_422(client, admin, body, field):
    response = client.post(BATCH, data=json.dumps(body), headers=admin | JSON)
    assert response.status_code == 422
    assert list(response.json["errors"]) == [field]
    assert total(client, admin) == 0


def test_the_longest_valid_batch_fits_and_a_longer_body_does_not(client, admin):
    item = '{"text": "' + "\\ud83d\\ude80" * 2000 + '", "source": "' + "\\ud83d\\ude80" * 100 + '"}'
    body = '{"items": [' + ", ".join([item] * 100) + "]}"
    response = client.post(BATCH, data=body, headers=admin | JSON)
    assert response.status_code == 200
    assert response.json["succeeded"] == 100
    assert client.post(BATCH, data=body + " " * 200_000, headers=admin | JSON).status_code == 413


def test_a_batch_belongs_to_its_key(client, admin, make_client_key):
    one, other = make_client_key("one")[0], make_client_key("other")[0]
    (item,) = post(client, one, [{"text": TEXT}]).json["items"]
    assert client.get(f"/api/v1/predictions/{item['request_id']}", headers=one).status_code == 200
    assert client.get(f"/api/v1/predictions/{item['request_id']}", headers=other).status_code == 404


def test_predictions_of_a_batch_are_counted(client, admin):
    def counted():
        lines = client.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("model_predictions_total{"))

    before = counted()
    post(client, admin, [{"text": TEXT}, {"text": "Sales fell."}, {"text": ""}])
    assert counted() - before == 2
