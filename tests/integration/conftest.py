import pytest
from support import Service


@pytest.fixture
def start_service(data_dir):
    """Starts services that are stopped at the end, whatever happens."""
    services = []

    def start(**environment):
        services.append(Service(data_dir, **environment))
        return services[-1]

    yield start
    for service in services:
        service.stop()


@pytest.fixture
def service(start_service, fresh_database):
    """A ready service over an empty database."""
    return start_service(DATABASE_URL=fresh_database()).wait_until_ready()
