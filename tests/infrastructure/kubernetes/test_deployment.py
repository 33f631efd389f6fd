"""The Deployment run by podman: the same pod, over a PostgreSQL of the test in place of the StatefulSet's."""

import http.client
import json
from contextlib import closing
from uuid import uuid4

import psycopg
import pytest
import yaml
from infrastructure.image.engine import podman
from support import ADMIN, ADMIN_KEY, JWT_SECRET, free_port, wait_for

from finbert_api.settings import PROJECT_ROOT

K8S = PROJECT_ROOT / "k8s"
GIGABYTE = 1 << 30


@pytest.fixture
def manifests():
    """Deployment and configuration as they are written, without an overlay."""
    return {
        document["kind"]: document
        for name in ("config.yaml", "deployment.yaml")
        for document in yaml.safe_load_all((K8S / "base" / name).read_text())
    }


@pytest.fixture
def play(tmp_path):
    """Runs manifests as a pod that is removed at the end."""
    path = tmp_path / "pod.yaml"

    def run(*documents):
        path.write_text(yaml.safe_dump_all(documents))
        podman("play", "kube", "--network=host", str(path))

    yield run
    podman("play", "kube", "--down", str(path), check=False)


def get(port, path):
    """Status and JSON of an answer; None while nothing listens."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        try:
            connection.request("GET", path, headers=ADMIN)
        except OSError:
            return None
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def test_the_pod_migrates_and_gets_ready(image, new_database, manifests, play):
    url, port = new_database(), free_port()
    secret = {"DATABASE_URL": url, "API_KEY": ADMIN_KEY, "JWT_SECRET": JWT_SECRET}
    deployment, configuration = manifests["Deployment"], manifests["ConfigMap"]
    deployment["metadata"]["name"] = f"finbert-{uuid4().hex[:8]}"
    deployment["spec"]["replicas"] = 1
    pod = deployment["spec"]["template"]["spec"]
    pod["restartPolicy"] = "OnFailure"  # podman, unlike Kubernetes, restarts what initialises as often as what serves
    for container in pod["initContainers"] + pod["containers"]:
        container |= {"image": image, "imagePullPolicy": "Never"}
        # podman of Debian 12 takes no Secret from a manifest; that each is in the example, test_manifests.py shows.
        for variable in container["env"]:
            variable["value"] = secret[variable.pop("valueFrom")["secretKeyRef"]["key"]]
    # The pod shares this machine's network, since the database is on it: so it takes a port of its own, unpublished.
    configuration["data"] |= {"PORT": str(port), "HOST": "127.0.0.1"}
    app = pod["containers"][0]
    del app["ports"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        app[probe]["httpGet"]["port"] = port
    play(configuration, deployment)
    state = wait_for(lambda: (answer := get(port, "/ready")) and answer[0] == 200 and answer[1], "the pod to be ready")
    assert state["model_loaded"]
    assert state["db_connected"]
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone()
    (container,) = json.loads(podman("inspect", f"{deployment['metadata']['name']}-pod-0-app").stdout)
    assert container["Config"]["User"] == "10001:10001"
    assert not container["EffectiveCaps"]
    assert container["HostConfig"]["ReadonlyRootfs"]
    assert container["HostConfig"]["Memory"] == GIGABYTE
