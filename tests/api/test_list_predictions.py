import time

import pytest
from support import wait_for

TEXTS = [
    "Operating profit rose to EUR 13.1 mn from EUR 8.7 mn.",
    "The company issued a profit warning and will cut 200 jobs.",
    "The annual general meeting will be held on 4 April.",
]


@pytest.fixture
def made(client, admin):
    """Nine predictions, newest first, as their answers gave them."""
    answers = [client.post("/api/v1/predict", json={"text": text}, headers=admin).json for text in TEXTS * 3]
    return answers[::-1]


def listed(client, headers, **query):
    response = client.get("/api/v1/predictions", query_string=query, headers=headers)
    assert response.status_code == 200, response.text
    return response.json


def test_an_empty_list_is_a_page_too(client, admin):
    assert listed(client, admin) == {"items": [], "next_cursor": None, "total_count": 0}


def test_the_newest_come_first_and_all_are_counted(client, admin, made):
    assert listed(client, admin) == {"items": made, "next_cursor": None, "total_count": 9}


@pytest.mark.parametrize("limit", [1, 2, 4, 8, 9, 100])
def test_pages_walk_through_everything_once(client, admin, made, limit):
    walked, cursor = [], {}
    while True:
        page = listed(client, admin, limit=limit, **cursor)
        walked += page["items"]
        assert page["total_count"] == 9
        assert len(page["items"]) <= limit
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert walked == made


def test_a_prediction_made_between_two_pages_shifts_none(client, admin, made):
    first = listed(client, admin, limit=4)
    client.post("/api/v1/predict", json={"text": TEXTS[0]}, headers=admin)
    second = listed(client, admin, limit=5, cursor=first["next_cursor"])
    assert first["items"] + second["items"] == made
    assert second["total_count"] == 10


@pytest.mark.parametrize("label", ["positive", "negative", "neutral"])
def test_the_label_filter_selects_and_counts(client, admin, made, label):
    matching = [prediction for prediction in made if prediction["label"] == label]
    first = listed(client, admin, label=label, limit=1)
    assert first["total_count"] == len(matching)
    assert first["items"] == matching[:1]
    if first["next_cursor"]:
        rest = listed(client, admin, label=label, cursor=first["next_cursor"])
        assert first["items"] + rest["items"] == matching


def test_the_bundled_model_fills_every_label_of_this_module(made):
    assert {prediction["label"] for prediction in made} == {"positive", "negative", "neutral"}


def test_clients_see_their_own_predictions_and_admins_all(client, admin, made, make_client_key):
    ann, _ = make_client_key("ann")
    bob, _ = make_client_key("bob")
    of_ann = client.post("/api/v1/predict", json={"text": TEXTS[0]}, headers=ann).json
    assert listed(client, ann) == {"items": [of_ann], "next_cursor": None, "total_count": 1}
    assert listed(client, ann, label=of_ann["label"])["total_count"] == 1
    assert listed(client, bob)["total_count"] == 0
    assert listed(client, admin)["total_count"] == 10
    url = f"/api/v1/predictions/{of_ann['request_id']}"
    assert client.get(url, headers=ann).status_code == 200
    assert client.get(url, headers=admin).status_code == 200
    assert client.get(url, headers=bob).status_code == 404


def milliseconds():
    return time.time_ns() // 1_000_000


def test_every_filter_selects_and_counts(client, admin):
    def predict(text, **source):
        answer = client.post("/api/v1/predict", json={"text": text} | source, headers=admin).json
        answered = milliseconds()
        # Moments have milliseconds, and a prediction of this model can take less than one.
        wait_for(lambda: milliseconds() > answered, "the next millisecond")
        return answer

    news = [predict(text, source="news") for text in TEXTS]
    plain, calls = predict(TEXTS[0]), predict(TEXTS[0], source="calls & more")
    times = [each["created_at"] for each in (*news, plain, calls)]
    assert times == sorted(set(times))
    everything = [calls, plain, *news[::-1]]
    version = plain["model_version"]
    for query, expected in (
        ({"source": "news"}, news[::-1]),
        ({"source": "calls & more"}, [calls]),
        ({"source": ""}, []),
        ({"source": "news", "label": news[1]["label"]}, [news[1]]),
        ({"model_version": version}, everything),
        ({"model_version": "another"}, []),
        ({"since": plain["created_at"]}, [calls, plain]),
        ({"until": plain["created_at"]}, news[::-1]),
        ({"since": news[1]["created_at"], "until": plain["created_at"]}, [news[2], news[1]]),
        ({"since": plain["created_at"], "until": news[0]["created_at"]}, []),
        ({"source": "news", "model_version": version, "since": news[1]["created_at"]}, [news[2], news[1]]),
    ):
        assert listed(client, admin, **query) == {
            "items": expected, "next_cursor": None, "total_count": len(expected)
        }, query  # fmt: skip


@pytest.mark.parametrize("zone", ["Z", "z", "+02:00", "-11:30"])
def test_a_moment_may_be_of_any_zone(client, admin, made, zone):
    hour = "T23:59:59.999" if zone in {"Z", "z"} else "T00:00:00"
    assert listed(client, admin, since=f"2020-02-29{hour}{zone}")["total_count"] == 9
    assert listed(client, admin, until=f"2020-02-29{hour}{zone}")["total_count"] == 0
