"""Fixtures for tests that run the image."""

import pytest
from infrastructure.image.container import Container
from infrastructure.image.database import database_server
from infrastructure.image.engine import built_image


@pytest.fixture(scope="session")
def image():
    """The name of the image, built from the checkout."""
    return built_image()


@pytest.fixture(scope="session")
def postgres():
    with database_server() as server:
        yield server


@pytest.fixture
def new_database(postgres):
    """Makes empty databases that containers can reach."""
    return postgres.new_database


@pytest.fixture
def start_container(image):
    """Starts containers of the image that are removed at the end, whatever happens."""
    containers = []

    def start(*arguments, **options):
        containers.append(Container(image, *arguments, **options))
        return containers[-1]

    yield start
    for container in containers:
        container.remove()
