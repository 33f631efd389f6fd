import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis_server import PASSWORD, RedisServer
from support import wait_for

HEADERS = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}


@pytest.fixture
def server():
    server = RedisServer("--requirepass", PASSWORD)
    yield server
    server.close()


def predict(service):
    """The status of a prediction on a connection of its own, and whether it has the headers of a limit."""
    status, headers, _ = service.request("POST", "/api/v1/predict", {"text": "Profit rose."})
    return status, set(headers) >= HEADERS


def predict_often(services, times):
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(predict, [service for _ in range(times) for service in services]))


def uncounted(service):
    text = service.request("GET", "/metrics")[2].decode()
    return sum(map(float, re.findall(r"^rate_limit_failures_total (\S+)$", text, re.MULTILINE)))


def test_the_workers_of_a_host_count_together_and_forget_when_the_service_ends(start_service, migrated_database):
    environment = {"DATABASE_URL": migrated_database(), "RATE_LIMIT_PREDICT": "20/day", "WEB_CONCURRENCY": "3"}
    service = start_service(**environment).wait_until_ready()
    answers = predict_often([service], 60)
    assert sorted(answers) == [(200, True)] * 20 + [(429, True)] * 40
    assert uncounted(service) == 0
    service.stop()
    assert predict(start_service(**environment).wait_until_ready()) == (200, True)


def test_hosts_count_together_in_redis_and_let_all_through_without_it(server, start_service, migrated_database):
    environment = {"DATABASE_URL": migrated_database(), "REDIS_URL": server.url, "RATE_LIMIT_PREDICT": "20/day"}
    environment |= {"WEB_CONCURRENCY": "1", "CACHE_TTL_SECONDS": "0"}
    services = [service.wait_until_ready() for service in [start_service(**environment) for _ in range(2)]]
    assert sorted(predict_often(services, 20)) == [(200, True)] * 20 + [(429, True)] * 20
    assert {name.split(b":")[0] for name in server.client.scan_iter()} == {b"finbert"}

    server.freeze()
    assert set(predict_often(services, 20)) == {(200, False)}
    assert sum(map(uncounted, services)) == 40
    server.kill()
    assert set(predict_often(services, 5)) == {(200, False)}

    server.start()
    for service in services:
        wait_for(lambda service=service: predict(service)[1], "Redis to be used again")
    assert 429 in {status for status, _ in predict_often(services, 20)}
    assert not [service for service in services if PASSWORD in service.output()]
