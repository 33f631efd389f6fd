"""`finbert deploy` against moto's ECS, whose one host runs the real service: each image is a way to run it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from mock_ecs import NAME, MockEcs, image
from support import ADMIN_KEY, Service, finbert, free_port, is_alive, wait_for

from finbert_api.settings import BUNDLED_MODEL, PROJECT_ROOT

RUNNING, GOOD, NEVER_READY, REFUSES, CRASHES = map(image, "01234")


class Host:
    """The host of the ECS cluster: runs the image that it is told to on the one port that clients call."""

    def __init__(self, data_dir, environments):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._data_dir = data_dir
        self._environments = environments
        self._image = self._service = None

    def run(self, name):
        if name == self._image and is_alive(self._service.process.pid):
            return
        self.stop()
        self._image = name
        environment = {"PORT": str(self.port), "WEB_CONCURRENCY": "1", **self._environments[name]}
        self._service = Service(self._data_dir, **environment)
        self._service.port = self.port

    def health(self):
        if self._service.process.poll() is not None:
            self.run(self._image)
            return "FAILED"
        return "RUNNING" if self._service.status_of("/health") == 200 else "PENDING"

    def answers(self):
        return self._service.status_of("/ready") == 200

    def stop(self):
        if self._service:
            self._service.stop()


@pytest.fixture(scope="module")
def host(database_url, tmp_path_factory):
    """One for all tests: each begins with RUNNING, which most leave there."""
    folder = tmp_path_factory.mktemp("host")
    spoilt = shutil.copytree(BUNDLED_MODEL, folder / "spoilt")
    (spoilt / "model.onnx").write_bytes(b"spoilt")
    host = Host(
        folder / "data",
        {
            RUNNING: {"DATABASE_URL": database_url},
            GOOD: {"DATABASE_URL": database_url},
            NEVER_READY: {"DATABASE_URL": database_url, "MODEL_STORE": str(spoilt)},
            REFUSES: {"DATABASE_URL": database_url, "API_KEY": "another-key-than-the-clients-have"},
            CRASHES: {"DATABASE_URL": database_url, "WORKER_THREADS": "many"},
        },
    )
    yield host
    host.stop()


@pytest.fixture
def ecs(monkeypatch, moto_url, host):
    monkeypatch.setenv("FINBERT_API_KEY", ADMIN_KEY)
    ecs = MockEcs(monkeypatch, moto_url, host.run, host.health)
    wait_for(lambda: ecs.deployments[0]["rolloutState"] == "COMPLETED" and host.answers(), "revision 1 to run")
    yield ecs
    ecs.close()


def deploy(command, host, *arguments):
    url = ["--url", host.url] if command in {"release", "smoke"} else []
    return finbert("deploy", command, "--environment", "dev", *url, *arguments)


def assert_is_back(ecs, host, result):
    assert result.returncode == 3, result.stderr
    assert ecs.revision == f"{NAME}:1"
    assert len(ecs.deployments) == 1
    assert host.answers()
    last = result.stderr.splitlines()[-1]
    assert re.search(rf"; {NAME}:1 runs again, \d+ s after the release began$", last)
    assert "Traceback" not in result.stderr
    return last


def test_a_good_image_is_released_tested_seen_and_rolled_back(ecs, host):
    result = deploy("release", host, "--image", GOOD)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{NAME}:2 is released to dev\n"
    assert "ready with finbert-compact" in result.stderr
    seen = deploy("status", host)
    assert seen.stdout.splitlines() == [
        f"{NAME}:2: 1 of 1 tasks running; steady",
        f"image: {GOOD}",
        f"replaced: {NAME}:1",
    ]
    result = deploy("rollback", host)
    assert (result.returncode, result.stdout) == (0, f"{NAME}:1 runs in dev\n"), result.stderr
    assert ecs.revision == f"{NAME}:1"
    assert host.answers()


def test_the_smoke_test_takes_address_and_key_from_where_terraform_left_them(ecs, host, monkeypatch):
    monkeypatch.delenv("FINBERT_API_KEY")
    parameters = ecs.client("ssm")
    parameters.put_parameter(Name="/finbert-api/dev/deploy", Value=json.dumps({"base_url": host.url}), Type="String")
    parameters.put_parameter(Name="/finbert-api/dev/API_KEY", Value=ADMIN_KEY, Type="SecureString")
    result = finbert("deploy", "smoke", "--environment", "dev")
    assert (result.returncode, result.stdout) == (0, f"{host.url} passes the smoke test\n"), result.stderr
    parameters.put_parameter(Name="/finbert-api/dev/API_KEY", Value="another", Type="SecureString", Overwrite=True)
    result = deploy("smoke", host)
    assert result.returncode == 1
    assert "POST /api/v1/predict answers 401" in result.stderr.splitlines()[-1]
    assert ADMIN_KEY not in result.stderr
    assert "another" not in result.stderr


def test_an_image_that_never_gets_ready_is_replaced_by_the_previous_one(ecs, host):
    began = time.monotonic()
    result = deploy("release", host, "--image", NEVER_READY, "--timeout", "25")
    assert "GET /ready answers 503" in assert_is_back(ecs, host, result)
    assert '"model_loaded": false' in result.stderr
    assert time.monotonic() - began < 35


def test_an_image_that_fails_the_smoke_test_is_replaced_by_the_previous_one(ecs, host):
    result = deploy("release", host, "--image", REFUSES, "--timeout", "60")
    assert "POST /api/v1/predict answers 401" in assert_is_back(ecs, host, result)


def test_an_image_whose_tasks_end_again_and_again_is_not_waited_for(ecs, host):
    began = time.monotonic()
    result = deploy("release", host, "--image", CRASHES)
    assert "2 failed (ECS: (service finbert-api-dev) a task stopped" in assert_is_back(ecs, host, result)
    assert time.monotonic() - began < 60


def test_a_release_in_the_midst_of_a_deployment_is_refused(ecs, host, monkeypatch):
    monkeypatch.setattr(ecs, "_health", lambda: "PENDING")
    ecs.update(ecs.register(GOOD))
    result = deploy("release", host, "--image", GOOD)
    assert result.returncode == 1
    assert result.stderr == (
        f"Error: a deployment is already running ({NAME}:2: 0 of 1 tasks running); nothing was changed\n"
    )
    assert ecs.revision == f"{NAME}:2"


@pytest.mark.parametrize("denied", ["ecs:DescribeServices", "ecs:RegisterTaskDefinition", "ecs:UpdateService"])
def test_a_release_without_permission_changes_nothing(ecs, host, denied):
    ecs.allow_all_but(denied)
    result = deploy("release", host, "--image", GOOD)
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert f"AWS refuses {denied.partition(':')[2]}: AccessDenied" in last
    assert "Traceback" not in result.stderr
    ecs.allow_all_but()
    assert deploy("status", host).stdout.startswith(f"{NAME}:1: 1 of 1 tasks running; steady")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_puts_the_previous_revision_back(ecs, host, number):
    command = ["deploy", "release", "--environment", "dev", "--image", NEVER_READY, "--url", host.url]
    with subprocess.Popen(
        [sys.executable, "-m", "finbert_api", *command],
        cwd=PROJECT_ROOT, env=dict(os.environ), stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        seen = next(line for line in process.stderr if "not ready yet" in line)
        process.send_signal(number)
        asked = time.monotonic()
        rest = process.stderr.read()
    # A cancelled run has some ten seconds before it is killed.
    assert time.monotonic() - asked < 7.5
    assert process.returncode == 5, seen + rest
    assert f"interrupted; ECS was told to run {NAME}:1 again and does so by itself" in rest.splitlines()[-1]
    wait_for(lambda: ecs.deployments[0]["rolloutState"] == "COMPLETED" and host.answers(), "revision 1 to run again")
    assert ecs.revision == f"{NAME}:1"
