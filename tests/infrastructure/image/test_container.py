"""The image run as production runs it: read-only, without capabilities, in 1 GB, over a real PostgreSQL."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest
from infrastructure.image.engine import podman
from support import ADMIN_KEY, wait_for

TEXT = "The company beat earnings expectations and raised full-year guidance."
GIGABYTE = 1 << 30


def predict(container, text=TEXT):
    status, answer = container.request("POST", "/api/v1/predict", {"text": text})
    assert status == 200, answer
    return answer


def rows(database_url):
    with psycopg.connect(database_url) as connection:
        return connection.execute("SELECT request_id::text FROM predictions").fetchall()


def test_it_migrates_answers_and_keeps_its_rows_over_a_restart(start_container, new_database, record_property):
    url = new_database()
    first = start_container(url).wait_until_ready()
    made = predict(first)
    assert made["label"] == "positive"
    at_rest = podman("stats", "--no-stream", "--format={{.MemUsage}}", first.name).stdout.strip()
    workers = first.logs().count("Booting worker")
    record_property("figures", f"memory of the container after one prediction, {workers} workers: {at_rest}")
    assert first.stop() == 0
    # Nothing of the first is there but its database: as on another host.
    second = start_container(url).wait_until_ready()
    assert second.request("GET", f"/api/v1/predictions/{made['request_id']}") == (200, made)
    assert rows(url) == [(made["request_id"],)]


def test_it_is_held_tightly_and_needs_no_more(start_container, new_database):
    container = start_container(new_database()).wait_until_ready()
    assert container.inspect("{{.HostConfig.Memory}}") == str(GIGABYTE)
    assert container.exec("id", "-u").stdout.strip() == "10001"
    status = dict(line.split(":\t") for line in container.exec("cat", "/proc/1/status").stdout.splitlines())
    assert {status[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapInh")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert container.exec("cat", "/proc/1/comm").stdout.strip() == "tini"
    for folder in ("/", "/opt/finbert/app", "/run", "/var/tmp"):  # noqa: S108 - tried, not used
        assert container.exec("touch", f"{folder}/written", check=False).returncode != 0
    # The weights were laid out for this processor where it may write.
    assert container.exec("find", "/var/lib/finbert/prepacked", "-name", "weights.bin").stdout.count("\n") == 1
    assert "can't be shared" not in container.logs()


def test_its_health_check_tells_a_server_that_answers_from_one_that_does_not(start_container, new_database):
    served = start_container(new_database()).wait_until_ready()
    assert podman("healthcheck", "run", served.name, check=False).returncode == 0
    idle = start_container(new_database(), "sleep", "300")
    assert podman("healthcheck", "run", idle.name, check=False).returncode != 0


def test_a_request_in_flight_is_finished_when_the_container_is_stopped(start_container, new_database):
    url = new_database()
    container = start_container(url).wait_until_ready()
    body = json.dumps({"text": TEXT}).encode()
    head = (
        f"POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {ADMIN_KEY}\r\nExpect: 100-continue\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", container.port), timeout=30) as client, ThreadPoolExecutor() as pool:
        client.sendall(head.encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 100")  # a worker has the request in hand
        stopped = pool.submit(container.stop)
        wait_for(lambda: "Handling signal: term" in container.logs(), "gunicorn to be told")
        client.sendall(body)
        with closing(client.makefile("rb")) as answer:
            assert answer.readline().startswith(b"HTTP/1.1 200")
        assert stopped.result(timeout=60) == 0
    assert len(rows(url)) == 1


def test_containers_that_start_at_once_over_an_empty_database_wait_for_each_other(start_container, new_database):
    url = new_database()
    with ThreadPoolExecutor(3) as pool:
        racing = list(pool.map(lambda _: start_container(url, "finbert", "migrate"), range(3)))
        endings = list(pool.map(lambda container: container.wait(), racing))
    assert endings == [0, 0, 0], [container.logs() for container in racing]
    assert predict(start_container(url).wait_until_ready())["label"] == "positive"


@pytest.mark.parametrize("wrong", [{"DATABASE_URL": ""}, {"WEB_CONCURRENCY": "many"}])
def test_a_bad_setting_ends_it_with_one_clear_line(start_container, wrong):
    container = start_container("", **wrong)
    assert container.wait() == 1
    assert next(iter(wrong)) in container.logs()
    assert "Traceback" not in container.logs()
