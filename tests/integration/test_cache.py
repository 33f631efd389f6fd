import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import redis
from redis_server import PASSWORD, RedisServer
from support import wait_for

from finbert_api.domain.sentiment import Label, sentiment_of
from finbert_api.observability.prometheus import PrometheusMetrics
from finbert_api.storage.cache import CachedScores, cache_key
from finbert_api.storage.redis_cache import RedisCache

TEXT = "Operating profit rose to EUR 13.1 million from EUR 8.7 million."
KEY = cache_key("a" * 64, TEXT)
OTHER_KEY = cache_key("a" * 64, "Sales fell.")
SCORES = CachedScores(sentiment_of([2.0, -1.0, 0.5], tuple(Label)), 17, truncated=False)
OTHER_SCORES = CachedScores(sentiment_of([-1.0, 2.5, 0.5], tuple(Label)), 512, truncated=True)


@pytest.fixture
def server():
    server = RedisServer("--requirepass", PASSWORD)
    yield server
    server.close()


@pytest.fixture
def metrics():
    return PrometheusMetrics()


@pytest.fixture
def cache(server, metrics):
    return RedisCache(server.url, 60, 8, metrics)


@pytest.fixture
def short_pause(monkeypatch):
    monkeypatch.setattr("finbert_api.storage.circuit.PAUSE_SECONDS", 0.1)


def failures(metrics):
    return int(float(re.search(r"^cache_failures_total (\S+)$", metrics.exposition().decode(), re.MULTILINE)[1]))


def end_pause(cache):
    cache._circuit._retry_at = min(cache._circuit._retry_at, 1e-9)


def found_in_time(cache, key=KEY):
    """What the cache finds; fails when that takes thirty times as long as it should."""
    found = []
    thread = threading.Thread(target=lambda: found.append(cache.get(key)), daemon=True)
    thread.start()
    thread.join(3)
    assert found, "the cache is stuck"
    return found[0]


def test_what_is_kept_is_found_as_it_was_by_everyone_who_shares_the_server(cache, server, metrics):
    cache.put(KEY, SCORES)
    cache.put(OTHER_KEY, OTHER_SCORES)
    neighbour = RedisCache(server.url, 60, 8, metrics)
    assert (neighbour.get(KEY), neighbour.get(OTHER_KEY)) == (SCORES, OTHER_SCORES)
    assert neighbour.get(cache_key("b" * 64, TEXT)) is None
    assert failures(metrics) == 0


def test_redis_holds_nothing_of_the_text_and_only_for_a_time(cache, server):
    cache.put(KEY, SCORES)
    [name] = server.client.keys()
    assert name == b"finbert:scores:1:" + KEY.hex().encode()
    assert len(server.client.get(name)) == 20
    assert 0 < server.client.ttl(name) <= 60


def test_what_is_kept_is_gone_after_its_time(server, metrics):
    cache = RedisCache(server.url, 1, 8, metrics)
    cache.put(KEY, SCORES)
    assert cache.get(KEY) == SCORES
    wait_for(lambda: cache.get(KEY) is None, "the scores to be gone")


@pytest.mark.parametrize("spoil", ["truncate", "replace", "swap", "retype"])
def test_a_value_that_is_not_ours_is_a_miss_and_counted(cache, server, metrics, short_pause, spoil):
    cache.put(KEY, SCORES)
    cache.put(OTHER_KEY, OTHER_SCORES)
    names = [f"finbert:scores:1:{key.hex()}" for key in (KEY, OTHER_KEY)]
    mine, other = map(server.client.get, names)
    server.client.delete(names[0])
    if spoil == "retype":
        server.client.rpush(names[0], mine)
    else:
        server.client.set(names[0], {"truncate": mine[:-1], "replace": b"\xff" * len(mine), "swap": other}[spoil])
    assert cache.get(KEY) is None
    assert failures(metrics) == 1

    def kept_anew():
        cache.put(KEY, SCORES)
        return cache.get(KEY)

    assert wait_for(kept_anew, "the value to be kept anew") == SCORES


def test_a_dead_redis_is_a_miss_that_is_not_paid_again_and_is_used_again_when_it_is_back(
    cache, server, metrics, log_lines
):
    cache.put(KEY, SCORES)
    server.kill()
    assert cache.get(KEY) is None
    assert failures(metrics) == 1
    for _ in range(100):
        assert cache.get(KEY) is None
        cache.put(KEY, SCORES)
    assert failures(metrics) == 1
    end_pause(cache)
    assert cache.get(KEY) is None
    assert failures(metrics) == 2
    server.start()
    end_pause(cache)
    cache.put(KEY, SCORES)
    assert cache.get(KEY) == SCORES
    lines = [line for line in log_lines() if line["logger"] == "finbert_api.storage.circuit"]
    assert [(line["level"], line.get("cause")) for line in lines] == [("WARNING", "ConnectionError"), ("INFO", None)]


def test_while_one_tries_a_redis_again_that_failed_the_others_do_without(cache, server, metrics):
    server.freeze()
    cache.get(KEY)
    assert failures(metrics) == 1
    end_pause(cache)
    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(cache.get, [KEY] * 200))
    assert failures(metrics) == 2


def test_a_frozen_redis_holds_nobody_up_and_its_late_answers_reach_nobody(cache, server, metrics):
    cache.put(KEY, SCORES)
    cache.put(OTHER_KEY, OTHER_SCORES)
    server.freeze()
    assert found_in_time(cache) is None
    assert failures(metrics) == 1
    for _ in range(200):
        assert found_in_time(cache) is None
    assert failures(metrics) == 1
    server.thaw()
    end_pause(cache)
    assert found_in_time(cache, OTHER_KEY) == OTHER_SCORES
    assert cache.get(KEY) == SCORES


def test_a_redis_that_is_frozen_before_the_first_word_holds_nobody_up(server, metrics):
    cache = RedisCache(server.url, 60, 8, metrics)
    server.freeze()
    assert found_in_time(cache) is None
    assert failures(metrics) == 1


def test_a_host_that_takes_no_connection_holds_nobody_up(metrics):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, ExitStack() as waiting:
        for _ in range(4):  # more than the queue of unaccepted connections holds
            caller = waiting.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(deaf.getsockname())
        cache = RedisCache(f"redis://127.0.0.1:{deaf.getsockname()[1]}", 60, 8, metrics)
        assert found_in_time(cache) is None
    assert failures(metrics) == 1


def test_a_redis_without_room_is_counted_and_answers_go_on(cache, server, metrics, short_pause):
    cache.put(KEY, SCORES)
    server.client.config_set("maxmemory", 1)
    cache.put(OTHER_KEY, OTHER_SCORES)
    assert failures(metrics) == 1
    assert wait_for(lambda: cache.get(KEY), "the cache to be tried again") == SCORES


def test_a_refused_password_is_a_miss(server, metrics, log_lines):
    cache = RedisCache(server.url.replace(PASSWORD, "another"), 60, 8, metrics)
    assert cache.get(KEY) is None
    assert failures(metrics) == 1
    assert [line["cause"] for line in log_lines()] == ["AuthenticationError"]


def test_no_log_names_the_password_that_a_server_quotes(metrics, log_lines):
    server = RedisServer("--rename-command", "AUTH", "")
    try:
        with pytest.raises(redis.ResponseError, match=PASSWORD):
            server.client.execute_command("AUTH", PASSWORD)
        assert RedisCache(server.url, 60, 8, metrics).get(KEY) is None
    finally:
        server.close()
    assert failures(metrics) == 1
    [line] = log_lines()
    assert PASSWORD not in str(line)


def test_services_share_what_one_of_them_computed_and_go_on_without_redis(server, start_service, migrated_database):
    def predict(service, text=TEXT):
        status, headers, body = service.request("POST", "/api/v1/predict", {"text": text})
        assert status == 200
        return headers["X-Cache"], body

    def cache_failures(service):
        text = service.request("GET", "/metrics")[2].decode()
        return sum(map(float, re.findall(r"^cache_failures_total (\S+)$", text, re.MULTILINE)))

    environment = {"DATABASE_URL": migrated_database(), "REDIS_URL": server.url, "WEB_CONCURRENCY": "1"}
    services = [start_service(**environment) for _ in range(2)]
    one, other = (service.wait_until_ready() for service in services)
    cached, first = predict(one)
    assert cached == "miss"
    cached, second = predict(other)
    assert cached == "hit"
    assert second["request_id"] != first["request_id"]
    same = ("text", "label", "scores", "confidence", "sentiment_score", "model_version", "token_count", "truncated")
    assert {name: second[name] for name in same} == {name: first[name] for name in same}
    assert one.request("GET", "/api/v1/predictions")[2]["total_count"] == 2

    server.freeze()
    assert predict(one)[0] == "miss"
    assert cache_failures(one) == 1
    server.kill()
    answers = [predict(service) for service in services for _ in range(5)]
    assert {cached for cached, _ in answers} == {"miss"}
    assert {str(body["scores"]) for _, body in answers} == {str(first["scores"])}
    assert cache_failures(other) >= 1

    server.start()
    for service in services:
        wait_for(lambda service=service: predict(service)[0] == "hit", "Redis to be used again")
    assert not [service for service in services if PASSWORD in service.output() or TEXT in service.output()]


def test_what_is_removed_is_gone_for_all_and_nothing_else(server, cache, metrics):
    other = RedisCache(server.url, 60, 8, metrics)
    cache.put(KEY, SCORES)
    cache.put(OTHER_KEY, OTHER_SCORES)
    for _ in range(2):
        other.remove(KEY)
    assert cache.get(KEY) is None
    assert cache.get(OTHER_KEY) == OTHER_SCORES
    server.kill()
    cache.remove(OTHER_KEY)
    assert failures(metrics) == 1
