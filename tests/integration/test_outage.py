"""PostgreSQL going away and coming back under a running service."""

from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import psycopg
import pytest
from support import ADMIN, RUN, wait_for

from finbert_api.storage.embedded import embedded_postgres

TEXT = "Operating profit rose to EUR 13.1 mn from EUR 8.7 mn."


@pytest.fixture(scope="module")
def folder():
    """Where the data of a PostgreSQL is that the tests of this module start and stop."""
    with TemporaryDirectory(prefix="finbert-tests-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def outage(folder, start_service):
    """A service over a PostgreSQL that the test can stop and start, and a client key that it made."""
    database = embedded_postgres(folder)
    url = database.__enter__()
    service = start_service(command=RUN, DATABASE_URL=url, WEB_CONCURRENCY="1").wait_until_ready()
    secret = service.request("POST", "/api/v1/keys", {"name": "ann"})[2]["key"]

    class Outage:
        client = {"X-API-Key": secret}  # noqa: RUF012 - read only

        @property
        def url(self):
            return url

        @property
        def pid(self):
            return int((folder / "postgres/postmaster.pid").read_text().split(maxsplit=1)[0])

        def begin(self):
            nonlocal database
            database.__exit__(None, None, None)
            database = None
            wait_for(lambda: service.status_of("/ready") == 503, "the outage to be noticed")

        def end(self):
            nonlocal database
            database = embedded_postgres(folder)
            database.__enter__()
            wait_for(lambda: service.status_of("/ready") == 200, "the database to be back")

    yield service, Outage()
    service.stop()
    if database:
        database.__exit__(None, None, None)


def predict(service, headers=ADMIN):
    return service.request("POST", "/api/v1/predict", {"text": TEXT}, headers)


def test_predictions_are_answered_with_a_warning_while_the_database_is_away(outage):
    service, database = outage
    assert predict(service, database.client)[0] == 200
    database.begin()

    status, headers, body = predict(service)
    assert status == 200
    assert headers["X-Storage-Warning"] == "write_failed"
    assert body["label"] == "positive"
    status, headers, _ = service.request("GET", f"/api/v1/predictions/{body['request_id']}")
    assert status == 503
    assert int(headers["Retry-After"]) > 0
    assert service.status_of("/health") == 200
    failures = [line for line in service.log_lines() if line["message"] == "prediction not stored"]
    assert [line["prediction_id"] for line in failures] == [body["request_id"]]
    assert failures[0]["level"] == "ERROR"
    assert failures[0]["request_id"] == body["request_id"]
    assert TEXT not in service.output()
    assert b"db_write_failures_total 1.0" in service.request("GET", "/metrics")[2]

    status, headers, body = service.request("POST", "/api/v1/predict/batch", {"items": [{"text": TEXT}, {"text": ""}]})
    assert (status, body["succeeded"], body["failed"]) == (200, 1, 1)
    assert headers["X-Storage-Warning"] == "write_failed"
    assert predict(service, database.client)[0] == 200
    assert predict(service, {"X-API-Key": "never seen"})[0] == 503
    # What can't be stored could not be given again.
    once = ADMIN | {"Idempotency-Key": "once"}
    assert predict(service, once)[0] == 503

    database.end()
    assert predict(service, once)[2] == predict(service, once)[2]
    status, headers, body = predict(service)
    assert status == 200
    assert headers["X-Storage-Warning"] is None
    assert service.request("GET", f"/api/v1/predictions/{body['request_id']}")[2] == body


def test_a_connection_that_the_server_dropped_costs_no_prediction(outage):
    service, database = outage
    made = predict(service)[2]
    with psycopg.connect(database.url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert service.request("GET", f"/api/v1/predictions/{made['request_id']}", headers=database.client)[0] == 404
    assert predict(service)[1]["X-Storage-Warning"] is None


def test_a_database_that_hangs_does_not_hang_the_service(outage):
    service, database = outage
    assert predict(service)[0] == 200
    postmaster = psutil.Process(database.pid)
    frozen = [postmaster, *postmaster.children()]
    for process in frozen:
        process.suspend()
    try:
        status, headers, _ = predict(service)
        assert status == 200
        assert headers["X-Storage-Warning"] == "write_failed"
        assert service.request("GET", "/api/v1/predictions")[0] == 503
        assert service.status_of("/health") == 200
    finally:
        for process in frozen:
            process.resume()
    wait_for(lambda: service.status_of("/ready") == 200, "the database to be back")
    assert predict(service)[1]["X-Storage-Warning"] is None
