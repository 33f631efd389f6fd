"""The migrations, forwards and backwards on a real PostgreSQL."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from flask_migrate import check, downgrade, upgrade
from support import finbert, running, wait_for

from finbert_api.inference.unavailable_engine import UnavailableEngine
from finbert_api.settings import PROJECT_ROOT, settings_from_environment
from finbert_api.storage.connections import ANSWER_TIMEOUT_SECONDS

REVISIONS = sorted(path.stem.split("_")[0] for path in (PROJECT_ROOT / "migrations" / "versions").glob("*.py"))


@pytest.fixture
def url(fresh_database):
    return fresh_database()


@pytest.fixture
def context(url):
    settings = settings_from_environment({"DATABASE_URL": url, "LOG_LEVEL": "ERROR"})
    with running(settings, UnavailableEngine()) as app, app.app_context():
        yield


def objects(url):
    """Everything in the database but Alembic's own table."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return {
            row[0]
            for row in connection.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
                "UNION SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            )
            if not row[0].startswith("alembic")
        }


def test_every_step_goes_forwards_backwards_and_forwards_again(context, url):
    states = {}
    for revision in REVISIONS:
        upgrade(revision=revision)
        states[revision] = objects(url)
    for revision, before in zip(REVISIONS[::-1], [*REVISIONS[::-1][1:], "base"], strict=True):
        assert objects(url) == states[revision]
        downgrade(revision=before)
    assert objects(url) == set()
    upgrade()
    assert objects(url) == states[REVISIONS[-1]]


def test_the_tables_in_code_are_those_that_the_migrations_make(context):
    upgrade()
    check()


def test_flasks_own_command_knows_the_migrations(url):
    for command in (["upgrade"], ["check"]):
        result = subprocess.run(
            [sys.executable, "-m", "flask", "db", *command],
            cwd=PROJECT_ROOT,
            env=os.environ | {"DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
    assert "predictions" in objects(url)


def test_two_hosts_that_migrate_at_once_both_succeed(url):
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: finbert("migrate", DATABASE_URL=url), range(2)))
    assert [result.returncode for result in results] == [0, 0], [result.stderr for result in results]
    assert "predictions" in objects(url)


def test_a_host_waits_for_another_ones_migration_for_as_long_as_that_takes(url):
    key = int((PROJECT_ROOT / "migrations" / "env.py").read_text().split("ADVISORY_LOCK = ")[1].split("\n")[0])
    longer_than_a_request_may = f"{ANSWER_TIMEOUT_SECONDS + 1:g} seconds"
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
    with psycopg.connect(url) as other, psycopg.connect(url, autocommit=True) as watcher, ThreadPoolExecutor(1) as pool:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [key])
        result = pool.submit(finbert, "migrate", DATABASE_URL=url)
        wait_for(
            lambda: result.done() or watcher.execute(
                f"{waiting} AND query_start < now() - interval '{longer_than_a_request_may}'"
            ).fetchone(),
            "the migration to have waited",
        )  # fmt: skip
        other.rollback()
        assert result.result().returncode == 0, result.result().stderr
    assert "predictions" in objects(url)
