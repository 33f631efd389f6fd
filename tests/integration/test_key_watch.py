"""What workers tell each other of keys, over PostgreSQL: that one was revoked, and when one was used."""

import http.client
from contextlib import ExitStack, closing

import psutil
import psycopg
import pytest
from support import running, wait_for

from finbert_api.domain.caller import BOOTSTRAP_KEY_ID, Role, Tier
from finbert_api.domain.errors import Unauthenticated
from finbert_api.inference.unavailable_engine import UnavailableEngine
from finbert_api.services import api_keys
from finbert_api.storage import key_watch

HOUR = 3600.0
# `finbert run` as ever, but that a worker would rely on what it knows of a key for an hour unless it is told, and
# would write their use as seldom.
TRUSTING_RUN = """
from finbert_api.__main__ import main
from finbert_api.services import api_keys
from finbert_api.storage import key_watch
api_keys.CONFIRMED_SECONDS = key_watch.WRITE_SECONDS = 3600.0
main()
"""


@pytest.fixture
def workers(app, settings):
    """Two applications, as two workers have them, over the same database."""
    with ExitStack() as stack:
        both = [stack.enter_context(running(settings, UnavailableEngine())) for _ in range(2)]
        yield [worker.test_client() for worker in both]


@pytest.fixture
def trusting(monkeypatch):
    """As if a key that the database confirmed needed no other check for an hour."""
    monkeypatch.setattr(api_keys, "CONFIRMED_SECONDS", HOUR)


@pytest.fixture
def seldom(monkeypatch):
    """As if uses were written each hour."""
    monkeypatch.setattr(key_watch, "WRITE_SECONDS", HOUR)


def status(worker, headers):
    return worker.get("/api/v1/predictions", headers=headers).status_code


def keys_of(worker):
    return worker.application.extensions["finbert"].api_keys


def last_used_at(database_url, key_id):
    with psycopg.connect(database_url) as connection:
        return connection.execute("SELECT last_used_at FROM api_keys WHERE key_id = %s", [key_id]).fetchone()[0]


def watching(database_url):
    """The servers' processes that listen for changes of keys in the tests' database."""
    with psycopg.connect(database_url) as connection:
        return [
            pid
            for (pid,) in connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%%last_used_at%%'"
                " AND pid <> pg_backend_pid()"
            )
        ]


def test_both_workers_of_a_service_are_told_of_a_revoked_key_and_write_the_last_uses(start_service, fresh_database):
    url = fresh_database()
    service = start_service(command=("-c", TRUSTING_RUN, "run"), DATABASE_URL=url).wait_until_ready()
    made = service.request("POST", "/api/v1/keys", {"name": "ann"})[2]
    with ExitStack() as stack:
        connections = []

        def statuses():
            found = []
            for connection in connections:
                connection.request("GET", "/api/v1/predictions", headers={"X-API-Key": made["key"]})
                answer = connection.getresponse()
                answer.read()
                found.append(answer.status)
            return found

        def reach_both_workers():
            """Two kept connections; whether each goes to a worker of its own, which needs both to be there."""
            for connection in connections:
                connection.close()
            connections[:] = [
                stack.enter_context(closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)))
                for _ in range(2)
            ]
            assert statuses() == [200, 200]
            ports = {connection.sock.getsockname()[1] for connection in connections if connection.sock}
            return (
                sum(
                    any(their.raddr and their.raddr.port in ports for their in worker.net_connections("tcp4"))
                    for worker in psutil.Process(service.process.pid).children()
                )
                == 2
            )

        wait_for(reach_both_workers, "a connection to each worker")
        wait_for(lambda: len(watching(url)) == 2, "both workers to watch")
        assert statuses() == [200, 200]
        assert service.request("DELETE", f"/api/v1/keys/{made['key_id']}")[0] == 204
        wait_for(lambda: statuses() == [401, 401], "both workers to be told")

    with psycopg.connect(url) as connection:
        moment = connection.execute("SELECT now()").fetchone()[0]
    assert service.request("GET", "/api/v1/keys")[0] == 200
    assert last_used_at(url, BOOTSTRAP_KEY_ID) < moment
    assert service.stop() == 0
    assert last_used_at(url, BOOTSTRAP_KEY_ID) > moment


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize("change", ["role = 'admin'", "tier = 'premium'"])
def test_a_worker_learns_what_another_changed_of_a_key(workers, database_url, make_client_key, change):
    headers, key_id = make_client_key()
    keys = keys_of(workers[0])
    assert status(workers[0], headers) == 200
    wait_for(lambda: keys._watched_since, "the watch to begin")

    def caller():
        with workers[0].application.app_context():
            return keys.authenticate(headers["X-API-Key"])

    assert (caller().role, caller().tier) == (Role.CLIENT, Tier.STANDARD)
    with psycopg.connect(database_url) as connection:
        connection.execute(f"UPDATE api_keys SET {change} WHERE key_id = %s", [key_id])
    wait_for(lambda: (caller().role, caller().tier) != (Role.CLIENT, Tier.STANDARD), "the worker to be told")


@pytest.mark.usefixtures("trusting")
def test_a_watch_that_lost_its_connection_gets_another_and_misses_nothing(
    workers, database_url, make_client_key, monkeypatch
):
    monkeypatch.setattr(key_watch, "RECONNECT_SECONDS", 0.01)
    first, key_id = make_client_key("revoked during the outage")
    second, second_id = make_client_key("revoked after it")
    assert [status(worker, headers) for worker in workers for headers in (first, second)] == [200] * 4
    watches = wait_for(lambda: len(found := watching(database_url)) >= 2 and found, "both to watch")
    with psycopg.connect(database_url) as connection:
        # In one transaction with the change, of which those that listened are never told.
        connection.execute("SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s) AS pid", [watches])
        connection.execute("UPDATE api_keys SET revoked_at = now() WHERE key_id = %s", [key_id])
    wait_for(lambda: [status(worker, first) for worker in workers] == [401, 401], "both to ask again")
    assert [status(worker, second) for worker in workers] == [200, 200]
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM api_keys WHERE key_id = %s", [second_id])
    wait_for(lambda: [status(worker, second) for worker in workers] == [401, 401], "both to be told")


@pytest.mark.usefixtures("trusting")
def test_a_word_that_names_no_key_does_not_end_the_watch(workers, database_url, make_client_key, monkeypatch):
    monkeypatch.setattr(key_watch, "RECONNECT_SECONDS", 0.01)
    headers, key_id = make_client_key()
    assert [status(worker, headers) for worker in workers] == [200, 200]
    with psycopg.connect(database_url) as connection:
        connection.execute("NOTIFY api_key_changes, 'not a key'")
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE api_keys SET revoked_at = now() WHERE key_id = %s", [key_id])
    wait_for(lambda: [status(worker, headers) for worker in workers] == [401, 401], "both to be told")


@pytest.mark.usefixtures("seldom")
def test_uses_are_gathered_and_written_at_the_end(workers, database_url, make_client_key):
    headers, key_id = make_client_key()
    assert status(workers[0], headers) == 200
    first = wait_for(lambda: last_used_at(database_url, key_id), "the first use to be written")
    for _ in range(20):
        assert status(workers[0], headers) == 200
    assert last_used_at(database_url, key_id) == first
    used = keys_of(workers[0])._uses[key_id]
    keys_of(workers[0]).close()
    assert last_used_at(database_url, key_id) == used


def test_uses_are_written_in_the_background(workers, database_url, make_client_key, monkeypatch):
    monkeypatch.setattr(key_watch, "WRITE_SECONDS", 0.05)
    headers, key_id = make_client_key()
    assert status(workers[0], headers) == 200
    first = wait_for(lambda: last_used_at(database_url, key_id), "the use to be written")
    assert status(workers[1], headers) == 200
    wait_for(lambda: last_used_at(database_url, key_id) > first, "the later use to be written")


@pytest.mark.usefixtures("seldom")
def test_the_latest_use_stays_whoever_writes_last(workers, database_url, make_client_key):
    headers, key_id = make_client_key()
    for worker in workers:
        before = last_used_at(database_url, key_id)
        assert status(worker, headers) == 200
        wait_for(lambda: last_used_at(database_url, key_id) != before, "the first use to be written")  # noqa: B023 - over within the turn
    for worker in workers:
        assert status(worker, headers) == 200
    latest = keys_of(workers[1])._uses[key_id]
    for worker in workers[::-1]:
        keys_of(worker).close()
    assert last_used_at(database_url, key_id) == latest


@pytest.mark.usefixtures("trusting")
def test_what_was_confirmed_before_the_watch_began_is_asked_for_again(app, database_url):
    with app.app_context():
        keys = api_keys.ApiKeyService(app.extensions["finbert"].api_keys._store, None)
        key, secret = keys.create("ann", Role.CLIENT)
        keys.authenticate(secret)
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE api_keys SET revoked_at = now() WHERE key_id = %s", [key.key_id])
        assert keys.authenticate(secret).key_id == key.key_id
        keys.watch_began()
        with pytest.raises(Unauthenticated):
            keys.authenticate(secret)
