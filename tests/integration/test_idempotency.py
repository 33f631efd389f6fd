"""One Idempotency-Key, two workers: one prediction, whatever happens."""

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress

import psutil
import psycopg
import pytest
from support import ADMIN, wait_for

ROUNDS = 200
TEXT = "Operating profit rose to EUR 13.1 mn from EUR 8.7 mn."
ROWS = "SELECT count(*), count(DISTINCT request_id), (SELECT count(*) FROM idempotency_keys) FROM predictions"


@pytest.fixture
def url(migrated_database):
    return migrated_database()


@pytest.fixture
def service(start_service, url):
    return start_service(DATABASE_URL=url).wait_until_ready()


def workers(service):
    return psutil.Process(service.process.pid).children()


def rows(url):
    """How many predictions there are, of how many ids, and how many idempotency keys."""
    with psycopg.connect(url) as connection:
        return connection.execute(ROWS).fetchone()


def post(connection, key, text=TEXT):
    headers = ADMIN | {"Content-Type": "application/json", "Idempotency-Key": f'"{key}"'}
    connection.request("POST", "/api/v1/predict", json.dumps({"text": text}), headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def one_connection_to_each_worker(service, stack):
    """Two connections that stay, each with another worker, or None when a worker is still on its way."""
    with ExitStack() as attempt:
        connections = []
        for _ in range(2):
            connection = closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=30))
            connections.append(attempt.enter_context(connection))
            connections[-1].request("GET", "/health")
            connections[-1].getresponse().read()
        # A worker that has more than another closes a connection after its answer.
        ports = {connection.sock.getsockname()[1] for connection in connections if connection.sock}
        held = [
            {each.raddr.port for each in worker.net_connections() if each.raddr} & ports for worker in workers(service)
        ]
        if sorted(map(len, held))[-2:] != [1, 1]:
            return None
        stack.enter_context(attempt.pop_all())
        return connections


def test_two_workers_that_race_for_a_key_make_one_prediction_each_time(service, url):
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        both = wait_for(lambda: one_connection_to_each_worker(service, stack), "a connection to each worker")
        for number in range(ROUNDS):
            answers = list(pool.map(post, both, [f"key-{number}"] * 2))
            assert [status for status, _ in answers] == [200, 200], answers
            assert len({body for _, body in answers}) == 1
    assert rows(url) == (ROUNDS, ROUNDS, ROUNDS)


def test_of_two_workers_that_race_with_different_bodies_one_is_told(service, url):
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        both = wait_for(lambda: one_connection_to_each_worker(service, stack), "a connection to each worker")
        for number in range(ROUNDS // 10):
            answers = list(pool.map(post, both, [f"key-{number}"] * 2, [TEXT, "Sales fell."]))
            assert sorted(status for status, _ in answers) == [200, 409], answers
    assert rows(url) == (ROUNDS // 10,) * 3


def test_a_worker_that_is_killed_in_between_leaves_the_key_to_the_next_request(service, url):
    def ask():
        with closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)) as connection:
            return post(connection, "key")

    def waiting(connection):
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        return connection.execute(query).fetchone()[0]

    with psycopg.connect(url) as blocker, psycopg.connect(url, autocommit=True) as watcher:
        # Whoever adds a prediction waits for this, with all that it did before.
        blocker.execute("LOCK predictions IN SHARE MODE")
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(ask)
            wait_for(lambda: waiting(watcher), "a worker to be in the middle of it")
            for worker in workers(service):
                worker.kill()
            with suppress(OSError, http.client.HTTPException):
                asked.result()
        blocker.rollback()
        wait_for(lambda: not waiting(watcher), "what the killed worker left to end")
    service.wait_until_ready()
    status, body = ask()
    assert status == 200, body
    assert ask() == (200, body)
    assert rows(url) == (1, 1, 1)
