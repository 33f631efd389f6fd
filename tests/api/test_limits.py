import re
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
from support import running

from finbert_api.api.limits import RATE_OF
from finbert_api.domain.caller import Role, Tier
from finbert_api.storage.windows import SharedWindows

PREDICT = "/api/v1/predict"
BODY = {"text": "Profit rose."}
LIMITED = {
    "/api/v1/predict": "rate_limit_predict",
    "/api/v1/analyze": "rate_limit_predict",
    "/api/v1/explain": "rate_limit_predict",
    "/api/v1/predict/batch": "rate_limit_batch",
    "/api/v1/analytics/summary": "rate_limit_analytics",
    "/api/v1/analytics/timeseries": "rate_limit_analytics",
    "/api/v1/analytics/versions": "rate_limit_analytics",
    "/api/v1/analytics/accuracy": "rate_limit_analytics",
}


@pytest.fixture
def limited(settings, engine, app):
    """Serves with limits: a client of the application and a way to make keys for it."""

    @contextmanager
    def serve(**rates):
        with running(replace(settings, **rates), engine) as serving:

            def make_key(tier=Tier.STANDARD):
                with serving.app_context():
                    return {"X-API-Key": serving.extensions["finbert"].api_keys.create("k", Role.CLIENT, tier)[1]}

            yield serving.test_client(), make_key

    return serve


def statuses(client, key, times, path=PREDICT, body=BODY):
    return [client.post(path, json=body, headers=key).status_code for _ in range(times)]


def test_a_key_may_call_as_often_as_the_setting_says_and_learns_what_is_left(limited):
    with limited(rate_limit_predict="3/minute") as (client, make_key):
        key = make_key()
        answers = [client.post(PREDICT, json=BODY, headers=key) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"3"}
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert all(0 < int(answer.headers["X-RateLimit-Reset"]) - time.time() <= 61 for answer in answers)
    assert ["Retry-After" in answer.headers for answer in answers] == [False, False, False, True]
    refused = answers[-1]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.content_type == "application/problem+json"
    assert refused.json["title"] == "Too Many Requests"
    assert refused.json["detail"] == "This key may call this route 3 times a minute"
    assert refused.json["request_id"] == refused.headers["X-Request-ID"]
    assert refused.headers["Cache-Control"] == "no-store"


def test_every_key_has_its_own_limit(limited):
    with limited(rate_limit_predict="1/minute") as (client, make_key):
        one, other = make_key(), make_key()
        assert statuses(client, one, 2) == [200, 429]
        assert statuses(client, other, 2) == [200, 429]


def test_a_premium_key_may_call_ten_times_as_often(limited):
    with limited(rate_limit_predict="1/hour") as (client, make_key):
        key = make_key(Tier.PREMIUM)
        assert statuses(client, key, 11) == [200] * 10 + [429]
        assert client.post(PREDICT, json=BODY, headers=key).headers["X-RateLimit-Limit"] == "10"


def test_faulty_requests_count_and_requests_without_a_key_do_not(limited):
    with limited(rate_limit_predict="2/minute") as (client, make_key):
        key = make_key()
        assert statuses(client, {"X-API-Key": "unknown"}, 5) == [401] * 5
        assert statuses(client, key, 3, body={"text": ""}) == [422, 422, 429]
        refused = client.post(PREDICT, json=BODY)
        assert refused.status_code == 401
        assert "X-RateLimit-Limit" not in refused.headers


@pytest.mark.parametrize("rate", [None, "100000/second"])
def test_a_limit_can_be_turned_off_and_other_routes_have_none(limited, rate):
    with limited(rate_limit_predict=rate) as (client, make_key):
        key = make_key()
        assert statuses(client, key, 20) == [200] * 20
        assert ("X-RateLimit-Limit" in client.post(PREDICT, json=BODY, headers=key).headers) is (rate is not None)
        assert "X-RateLimit-Limit" not in client.get("/api/v1/predictions", headers=key).headers


def test_the_window_moves_and_who_waits_as_long_as_told_may_call_again(limited, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("finbert_api.app.SharedWindows", lambda path: SharedWindows(path, clock=lambda: now[0]))

    with limited(rate_limit_predict="2/minute") as (client, make_key):
        key = make_key()

        def call_at(second):
            now[0] = 1000.0 + second
            answer = client.post(PREDICT, json=BODY, headers=key)
            return answer.status_code, answer.headers.get("Retry-After")

        assert [call_at(second) for second in (0.0, 30.0)] == [(200, None)] * 2
        assert call_at(59.2) == (429, "1")
        assert call_at(60.2) == (200, None)
        assert call_at(61.0) == (429, "29")
        assert call_at(90.0) == (200, None)


def test_the_routes_that_cost_much_are_limited_each_by_its_setting(app):
    rules = {rule.rule: rule.endpoint for rule in app.url_map.iter_rules()}
    limited = {rule: f"rate_limit_{RATE_OF[endpoint]}" for rule, endpoint in rules.items() if endpoint in RATE_OF}
    assert limited == LIMITED
    assert set(RATE_OF) <= set(rules.values())
    assert [rule for rule in rules if re.match(r"/api/v1/analytics/", rule) and rule not in limited] == []
