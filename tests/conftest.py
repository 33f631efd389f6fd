"""What the tests share: a real PostgreSQL of their own, the app over it with the bundled model, keys, a client."""

import io
import json
from dataclasses import replace
from importlib import import_module
from logging.config import dictConfig
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import psycopg
import pytest
from flask_migrate import upgrade
from hypothesis import settings as hypothesis_settings
from sqlalchemy import text
from support import ADMIN_KEY, JWT_SECRET, WITHOUT_LIMITS, running

from finbert_api.domain.caller import Role
from finbert_api.extensions import db
from finbert_api.inference.registry import find_artifact, load_engine
from finbert_api.inference.unavailable_engine import UnavailableEngine
from finbert_api.observability.logging import logging_config
from finbert_api.settings import BUNDLED_MODEL, settings_from_environment
from finbert_api.storage.embedded import embedded_postgres

# How long an example takes says something about the machine, not about the code.
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")

MIGRATED = "migrated"


def pytest_collection_modifyitems(items):
    """Puts the long tests first: at the end, when one of the processes has no test left, the others' are short."""
    items.sort(key=lambda item: not {"integration", "browser"} & set(item.path.parts))


@pytest.fixture(scope="session")
def postgres_dir():
    # Not pytest's own temporary folder: run as root, PostgreSQL has another user, whom pytest would lock out.
    with TemporaryDirectory(prefix="finbert-tests-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def data_dir():
    """A folder for the data of one test's own PostgreSQL."""
    with TemporaryDirectory(prefix="finbert-tests-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "data"


@pytest.fixture(scope="session")
def database_url(postgres_dir):
    """A migrated database in an embedded PostgreSQL that lives as long as the tests."""
    with embedded_postgres(postgres_dir, "tests") as url:
        settings = settings_from_environment({"DATABASE_URL": url})
        with running(replace(settings, log_level="ERROR"), UnavailableEngine()) as app, app.app_context():
            upgrade()
        # Nobody pulls the plug on the tests, and a slow disk must not decide whether a connection comes in time.
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        # Nobody is connected to a database that is copied.
        with psycopg.connect(url.replace("/tests?", "/postgres?"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {MIGRATED} TEMPLATE tests")
        yield url


@pytest.fixture
def make_database(database_url):
    """Makes a database of the test's own in the PostgreSQL that all tests share, from a template; gives its URL."""
    made = []

    def make(template):
        name = f"{template}_{uuid4().hex}"
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        made.append(name)
        return database_url.replace("/tests?", f"/{name}?")

    yield make
    with psycopg.connect(database_url, autocommit=True) as connection:
        for name in made:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def fresh_database(make_database):
    """Makes an empty database, without tables."""
    return lambda: make_database("template1")


@pytest.fixture
def migrated_database(make_database):
    """Makes a database with the newest schema and no predictions."""
    return lambda: make_database(MIGRATED)


@pytest.fixture(scope="session")
def settings(database_url):
    secrets = {"API_KEY": ADMIN_KEY, "JWT_SECRET": JWT_SECRET}
    return settings_from_environment({"DATABASE_URL": database_url, **secrets, **WITHOUT_LIMITS})


@pytest.fixture(scope="session")
def engine():
    engine = load_engine(find_artifact(BUNDLED_MODEL, None), 2)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def session_app(settings, engine):
    with running(settings, engine) as app:
        yield app


@pytest.fixture
def app(session_app):
    """The application over an empty database, with the bundled model."""
    with session_app.app_context():
        db.session.execute(text("TRUNCATE predictions CASCADE"))
        db.session.execute(text("DELETE FROM api_keys WHERE digest IS NOT NULL"))
        db.session.commit()
        db.session.remove()
    return session_app


@pytest.fixture(scope="session")
def moto_url():
    """The address of a mock of AWS."""
    # Not imported where no test needs it: that takes a second.
    with import_module("mock_ecs").moto_server() as url:
        yield url


@pytest.fixture
def log_lines():
    """The JSON lines that come out of the service's own logging configuration."""
    stream = io.StringIO()
    config = logging_config("DEBUG")
    config["handlers"]["output"]["stream"] = stream
    dictConfig(config)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    dictConfig(logging_config("ERROR"))


@pytest.fixture
def admin():
    """Headers of the admin key."""
    return {"X-API-Key": ADMIN_KEY}


@pytest.fixture
def make_client_key(app):
    """Makes a client key: its headers and its id."""

    def make(name="a client"):
        key, secret = app.extensions["finbert"].api_keys.create(name, Role.CLIENT)
        return {"X-API-Key": secret}, key.key_id

    return make
