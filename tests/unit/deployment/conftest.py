import pytest
from mock_ecs import MockEcs
from scripted_service import ScriptedService

from finbert_api.deployment import change, smoke
from finbert_api.deployment.aws import client
from finbert_api.deployment.service import EcsService
from finbert_api.deployment.smoke import SmokeTest


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(change, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(smoke, "POLL_SECONDS", 0.01)


@pytest.fixture
def answers():
    answers = ScriptedService()
    yield answers
    answers.close()


@pytest.fixture
def smoke_test(answers):
    return SmokeTest(answers.url, "the-key")


class Tasks:
    """The tasks of a cluster without a host: what they do is said by image, and else they run."""

    def __init__(self):
        self.health_of = {}
        self.image = None

    def run(self, image):
        self.image = image

    def health(self):
        health = self.health_of.get(self.image, "RUNNING")
        return health() if callable(health) else health


@pytest.fixture
def tasks():
    return Tasks()


@pytest.fixture
def ecs(monkeypatch, moto_url, tasks):
    ecs = MockEcs(monkeypatch, moto_url, tasks.run, tasks.health)
    yield ecs
    ecs.close()


@pytest.fixture
def ecs_client(ecs):
    ecs_client = client("ecs")
    yield ecs_client
    ecs_client.close()


@pytest.fixture
def service(ecs_client):
    return EcsService("dev", ecs_client)
