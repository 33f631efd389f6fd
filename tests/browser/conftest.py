import pytest
from support import Service


@pytest.fixture(scope="module")
def live_docs(database_url, tmp_path_factory):
    """A running service."""
    service = Service(tmp_path_factory.mktemp("docs") / "data", DATABASE_URL=database_url).wait_until_ready()
    yield service
    service.stop()
