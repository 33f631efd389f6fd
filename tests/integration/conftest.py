from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support import Service


@contextmanager
def services(data_dir):
    """Starts services that are stopped at the end, whatever happens."""
    started = []

    def start(**environment):
        started.append(Service(data_dir, **environment))
        return started[-1]

    try:
        yield start
    finally:
        for service in started:
            service.stop()


@pytest.fixture
def start_service(data_dir):
    """Starts services of one test."""
    with services(data_dir) as start:
        yield start


@pytest.fixture(scope="module")
def start_shared_service():
    """Starts services that the tests of a module share, over the database that all share."""
    with (
        TemporaryDirectory(prefix="finbert-tests-", ignore_cleanup_errors=True) as folder,
        services(Path(folder) / "data") as start,
    ):
        yield start


@pytest.fixture
def service(start_service, migrated_database):
    """A ready service over a database without predictions."""
    return start_service(DATABASE_URL=migrated_database()).wait_until_ready()
