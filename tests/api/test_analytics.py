from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

TEXTS = [
    "Operating profit rose to EUR 13.1 mn from EUR 8.7 mn.",
    "The company issued a profit warning and will cut 200 jobs.",
    "The annual general meeting will be held on 4 April.",
]
ROUTES = ("summary", "timeseries", "versions", "accuracy")


def told(client, route, headers, **query):
    response = client.get(f"/api/v1/analytics/{route}", query_string=query, headers=headers)
    assert response.status_code == 200, response.text
    return response.json


@pytest.fixture
def make(client):
    """Makes predictions as a caller, two of each label; their answers."""

    def predict(headers, source="news"):
        bodies = [{"text": text, "source": source} for text in TEXTS * 2]
        return [client.post("/api/v1/predict", json=body, headers=headers).json for body in bodies]

    return predict


def mean_confidence(predictions):
    return pytest.approx(sum(each["confidence"] for each in predictions) / len(predictions), abs=0.00006)


def test_a_summary_tells_counts_shares_and_confidence(client, admin, make):
    made = make(admin) + make(admin, source="filings")[:5]
    summary = told(client, "summary", admin)
    assert (summary["since"], summary["until"]) == (None, None)
    # The last of the batch was made too.
    made.append(client.get("/api/v1/predictions", query_string={"limit": 1}, headers=admin).json["items"][0])
    assert summary["predictions"] == 12
    assert summary["confidence"] == mean_confidence(made)
    assert [each["label"] for each in summary["labels"]] == ["positive", "negative", "neutral"]
    for figures in summary["labels"]:
        of_label = [each for each in made if each["label"] == figures["label"]]
        assert (figures["predictions"], figures["share"]) == (4, 0.3333)
        assert figures["confidence"] == mean_confidence(of_label)
    (version,) = summary["versions"]
    assert (version["model_version"], version["predictions"], version["share"]) == (made[0]["model_version"], 12, 1)
    assert version["labels"] == summary["labels"]
    assert [(each["source"], each["predictions"], each["share"]) for each in summary["sources"]] == [
        ("filings", 6, 0.5),
        ("news", 6, 0.5),
    ]
    assert summary["source_count"] == 2


def test_latencies_are_within_five_percent(client, admin, make):
    latencies = sorted(each["latency_ms"] for each in make(admin))
    summary = told(client, "summary", admin)["latency_ms"]
    for name, exact in (("p50", latencies[2]), ("p95", latencies[5]), ("p99", latencies[5])):
        assert summary[name] == pytest.approx(max(exact, 0.05), rel=0.05, abs=0.006)


def test_a_summary_of_nothing_has_no_means(client, admin):
    summary = told(client, "summary", admin)
    assert (summary["predictions"], summary["confidence"], summary["latency_ms"]) == (0, None, None)
    assert (summary["versions"], summary["sources"], summary["source_count"]) == ([], [], 0)
    assert {each["share"] for each in summary["labels"]} == {None}


def test_a_series_has_every_bucket_those_without_predictions_too(client, admin, make):
    make(admin)
    series = told(client, "timeseries", admin)
    starts = [datetime.fromisoformat(item["start"]) for item in series["items"]]
    assert [later - earlier for earlier, later in pairwise(starts)] == [timedelta(hours=1)] * 23
    assert datetime.fromisoformat(series["since"]) == starts[0]
    assert datetime.fromisoformat(series["until"]) == starts[-1] + timedelta(hours=1)
    # The last two: the hour may have ended meanwhile.
    assert sum(item["predictions"] for item in series["items"][-2:]) == 6
    assert series["items"][0]["predictions"] == 0
    assert series["items"][0]["latency_ms"] is None
    assert [each["predictions"] for each in series["items"][0]["labels"]] == [0, 0, 0]


def test_days_begin_at_midnight_utc_and_the_answer_says_what_it_covers(client, admin):
    query = {"bucket": "day", "since": "2026-03-01T01:00:00+02:00", "until": "2026-03-02T00:00:00.001Z"}
    series = told(client, "timeseries", admin, **query)
    assert (series["since"], series["until"]) == ("2026-02-28T00:00:00.000Z", "2026-03-03T00:00:00.000Z")
    assert [item["start"][:10] for item in series["items"]] == ["2026-02-28", "2026-03-01", "2026-03-02"]


def test_a_series_has_a_thousand_buckets_at_most(client, admin):
    series = told(client, "timeseries", admin, since="2020-01-01T00:00:00Z", until="2026-01-01T00:00:00Z")
    assert len(series["items"]) == 1000
    assert series["until"] == "2026-01-01T00:00:00.000Z"
    assert series["since"] == series["items"][0]["start"]


def test_filters_leave_out_the_others(client, admin, make):
    version = make(admin)[0]["model_version"]
    make(admin, source="filings")
    for route, total in (("summary", lambda answer: answer["predictions"]), ("timeseries", in_series)):
        assert total(told(client, route, admin, source="news")) == 6
        assert total(told(client, route, admin, source="none such")) == 0
        assert total(told(client, route, admin, model_version=version)) == 12
        assert total(told(client, route, admin, model_version="none such")) == 0


def in_series(answer):
    return sum(item["predictions"] for item in answer["items"])


def test_a_window_of_the_past_or_the_future_is_empty(client, admin, make):
    make(admin)
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    assert told(client, "summary", admin, since=an_hour_ago)["predictions"] == 6
    for query in ({"until": "2026-01-01T00:00:00Z"}, {"since": "2999-01-01T00:00:00Z"}):
        assert told(client, "summary", admin, **query)["predictions"] == 0
        assert told(client, "versions", admin, **query)["items"] == []
        assert in_series(told(client, "timeseries", admin, **query)) == 0


def judge(client, headers, prediction, label):
    path = f"/api/v1/predictions/{prediction['request_id']}/feedback"
    assert client.post(path, json={"label": label}, headers=headers).status_code < 300


def test_accuracy_comes_from_what_people_say(client, admin, make):
    made = make(admin)
    for prediction in made:
        judge(client, admin, prediction, "neutral")
        # What they say last counts.
        judge(client, admin, prediction, prediction["label"] if prediction is not made[0] else "negative")
    answer = told(client, "accuracy", admin)
    assert answer["feedback"] == 6
    assert (answer["accuracy"]["successes"], answer["accuracy"]["trials"]) == (5, 6)
    assert answer["accuracy"]["low"] < answer["accuracy"]["value"] < answer["accuracy"]["high"]
    by_label = {each["label"]: each for each in answer["labels"]}
    assert made[0]["label"] == "positive"
    assert by_label["positive"]["precision"]["value"] == 0.5
    assert by_label["positive"]["recall"]["value"] == 1
    assert by_label["negative"]["recall"]["value"] == 0.6667
    assert answer["confusion"]["negative"] == {"positive": 1, "negative": 2, "neutral": 0}
    (version,) = answer["versions"]
    assert version["confusion"] == answer["confusion"]
    (compared,) = told(client, "versions", admin)["items"]
    assert (compared["feedback"], compared["accuracy"]) == (6, answer["accuracy"])
    client.delete(f"/api/v1/predictions/{made[0]['request_id']}", headers=admin)
    assert told(client, "accuracy", admin)["accuracy"]["value"] == 1


def test_without_feedback_nothing_is_known_of_accuracy(client, admin, make):
    make(admin)
    answer = told(client, "accuracy", admin)
    assert (answer["feedback"], answer["accuracy"], answer["versions"]) == (0, None, [])
    assert [(each["precision"], each["recall"]) for each in answer["labels"]] == [(None, None)] * 3


def test_clients_see_figures_of_their_own_and_admins_all(client, admin, make, make_client_key):
    ann, _ = make_client_key("ann")
    bob, _ = make_client_key("bob")
    make(admin, source="secret of the house")
    judge(client, ann, make(ann)[0], "positive")
    assert told(client, "summary", admin)["predictions"] == 12
    assert told(client, "summary", ann)["predictions"] == 6
    assert [each["source"] for each in told(client, "summary", ann)["sources"]] == ["news"]
    assert told(client, "versions", ann)["predictions"] == 6
    assert in_series(told(client, "timeseries", ann)) == 6
    assert told(client, "accuracy", ann)["feedback"] == 1
    assert told(client, "summary", bob)["predictions"] == 0
    assert told(client, "versions", bob)["items"] == []
    assert in_series(told(client, "timeseries", bob)) == 0
    assert told(client, "accuracy", bob)["feedback"] == 0


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "moment",
    [
        "now",
        "",
        "2026-01-31",
        "2026-01-31T09:30:00",
        "2026-02-31T09:30:00Z",
        "2026-01-31T09:30:61Z",
        "٢٠26-01-31T09:30:00Z",
    ],
)
def test_a_moment_needs_its_date_time_and_zone(client, admin, route, moment):
    response = client.get(f"/api/v1/analytics/{route}", query_string={"since": moment}, headers=admin)
    assert response.status_code == 422
    assert list(response.json["errors"]) == ["since"]


@pytest.mark.parametrize(
    ("moment", "covered"),
    [
        ("2026-01-31t09:59:60.5z", "2026-01-31T10:00:00.000Z"),
        ("2026-01-31T09:30:00.123456789-05:30", "2026-01-31T15:00:00.000Z"),
        ("0001-01-01T00:00:00+23:59", "0010-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:60Z", "9999-12-30T00:00:00.000Z"),
    ],
)
def test_every_moment_of_rfc_3339_is_understood(client, admin, moment, covered):
    assert told(client, "summary", admin, since=moment)["since"] == covered


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("query", [{"since": "9999-12-31T23:59:59Z"}, {"until": "0001-01-01T00:00:00Z"}])
def test_the_ends_of_time_hold_nothing(client, admin, make, route, query):
    assert told(client, route, admin, **query)


@pytest.mark.parametrize("query", [{"bucket": "week"}, {"label": "positive"}, {"source": "x" * 101}, {"limit": 1}])
def test_other_parameters_are_refused(client, admin, query):
    response = client.get("/api/v1/analytics/timeseries", query_string=query, headers=admin)
    assert response.status_code == 422
    assert list(response.json["errors"]) == list(query)
