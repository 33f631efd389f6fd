"""PostgreSQL going away and coming back under a running service."""

import pytest
from support import ADMIN, finbert, wait_for

from finbert_api.storage.embedded import embedded_postgres

TEXT = "Operating profit rose to EUR 13.1 mn from EUR 8.7 mn."


@pytest.fixture
def outage(data_dir, start_service):
    """A service over a PostgreSQL that the test can stop and start, and a client key that it has seen."""
    database = embedded_postgres(data_dir.parent / "database")
    url = database.__enter__()
    service = start_service(DATABASE_URL=url).wait_until_ready()
    secret = finbert("keys", "create", "ann", DATABASE_URL=url).stdout.strip()

    class Outage:
        client = {"X-API-Key": secret}  # noqa: RUF012 - read only

        @property
        def url(self):
            return url

        def begin(self):
            nonlocal database
            database.__exit__(None, None, None)
            database = None
            wait_for(lambda: service.status_of("/ready") == 503, "the outage to be noticed")

        def end(self):
            nonlocal database
            database = embedded_postgres(data_dir.parent / "database")
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
    for _ in range(4):  # both workers learn the client's key
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
    assert failures[0]["request_id"] == headers["X-Request-ID"] or failures[0]["request_id"] == body["request_id"]
    assert TEXT not in service.output()
    assert b"db_write_failures_total 1.0" in service.request("GET", "/metrics")[2]

    known = [predict(service, database.client)[0] for _ in range(4)]
    assert set(known) <= {200, 503}
    assert 200 in known
    assert predict(service, {"X-API-Key": "never seen"})[0] == 503

    database.end()
    status, headers, body = predict(service)
    assert status == 200
    assert headers["X-Storage-Warning"] is None
    assert service.request("GET", f"/api/v1/predictions/{body['request_id']}")[2] == body


def test_a_connection_that_the_server_dropped_costs_no_prediction(outage):
    service, database = outage
    for _ in range(8):
        assert predict(service)[0] == 200
    database.begin()
    database.end()
    for _ in range(8):
        _, headers, body = predict(service)
        assert headers["X-Storage-Warning"] is None
        assert service.request("GET", f"/api/v1/predictions/{body['request_id']}")[0] == 200


def test_a_revoked_key_ends_at_once(outage):
    service, database = outage
    assert predict(service, database.client)[0] == 200
    listed = finbert("keys", "list", DATABASE_URL=database.url).stdout
    key_id = next(line.split()[0] for line in listed.splitlines() if line.endswith("ann"))
    assert finbert("keys", "revoke", key_id, DATABASE_URL=database.url).returncode == 0
    assert {predict(service, database.client)[0] for _ in range(6)} == {401}
