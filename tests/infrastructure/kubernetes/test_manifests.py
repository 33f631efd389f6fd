"""The manifests: valid in strict mode, restricted, and what the overlays make of them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from infrastructure.checkov import run_checkov

from finbert_api.settings import PROJECT_ROOT, settings_from_environment

K8S = PROJECT_ROOT / "k8s"
MANIFESTS = sorted(path for path in K8S.rglob("*.yaml") if path.name != "kustomization.yaml")
OVERLAYS = sorted(path.parent for path in (K8S / "overlays").rglob("kustomization.yaml"))


def documents(text):
    return [document for document in yaml.safe_load_all(text) if document]


def validate(path):
    done = subprocess.run(
        [str(Path(sys.executable).with_name("kubernetes-validate")), "--strict", str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module", params=OVERLAYS, ids=lambda path: path.name)
def overlay(request):
    """What `kubectl apply -k` would send."""
    if not shutil.which("kubectl"):
        pytest.skip("needs kubectl")
    done = subprocess.run(["kubectl", "kustomize", str(request.param)], capture_output=True, text=True, check=True)
    return request.param.name, done.stdout


def of_kind(text, kind):
    return {document["metadata"]["name"]: document for document in documents(text) if document["kind"] == kind}


def pod_specs(text):
    return [
        document["spec"]["template"]["spec"] for document in documents(text) if "template" in document.get("spec", {})
    ]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: str(path.relative_to(K8S)))
def test_every_manifest_is_valid(path):
    validate(path)
    assert all(
        document["metadata"].get("namespace", "finbert-api") == "finbert-api"
        for document in documents(path.read_text())
    )


def test_every_overlay_is_valid(overlay, tmp_path):
    path = tmp_path / "overlay.yaml"
    path.write_text(overlay[1])
    validate(path)


def test_every_file_is_in_use():
    listed = {
        (kustomization.parent / resource).resolve()
        for kustomization in K8S.rglob("kustomization.yaml")
        for resource in yaml.safe_load(kustomization.read_text())["resources"]
    }
    assert {path for path in MANIFESTS if path.name != "secret.example.yaml"} == {
        path for path in listed if path.is_file()
    }
    assert all(path.exists() for path in listed)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: str(path.relative_to(K8S)))
def test_every_pod_satisfies_the_restricted_standard(path):
    for pod in pod_specs(path.read_text()):
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] > 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert all(volume.keys() <= {"name", "emptyDir"} for volume in pod.get("volumes", []))
        for container in pod["containers"] + pod.get("initContainers", []):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"].keys() == {"requests", "limits"}


def test_the_service_as_a_whole(overlay):
    name, text = overlay
    assert (
        of_kind(text, "Namespace")["finbert-api"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        == "restricted"
    )
    deployment = of_kind(text, "Deployment")["finbert-api"]["spec"]
    pod = deployment["template"]["spec"]
    app, migration = pod["containers"][0], pod["initContainers"][0]
    assert "replicas" not in deployment
    assert migration["args"] == ["finbert", "migrate"]
    assert migration["image"] == app["image"]
    assert {probe: app[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")} == {
        "startupProbe": "/health", "readinessProbe": "/ready", "livenessProbe": "/health",
    }  # fmt: skip
    scaler = of_kind(text, "HorizontalPodAutoscaler")["finbert-api"]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (1, 3)
    assert scaler["metrics"][0]["resource"] == {
        "name": "cpu",
        "target": {"type": "Utilization", "averageUtilization": 70},
    }
    assert scaler["scaleTargetRef"]["name"] == "finbert-api"
    labels = deployment["template"]["metadata"]["labels"].items()
    for selector in (
        deployment["selector"]["matchLabels"],
        of_kind(text, "Service")["finbert-api"]["spec"]["selector"],
        of_kind(text, "PodDisruptionBudget")["finbert-api"]["spec"]["selector"]["matchLabels"],
        of_kind(text, "NetworkPolicy")["finbert-api"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels
    assert ("finbert-redis" in of_kind(text, "Deployment")) == (name == "prod")


def test_nobody_reaches_a_pod_without_a_policy_that_says_so(overlay):
    policies = of_kind(overlay[1], "NetworkPolicy")
    assert policies["deny-all"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for store in ("postgres", "redis"):
        policy = policies.get(f"finbert-{store}")
        if policy or store == "postgres":
            assert policy["spec"]["ingress"] == [
                {
                    "from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "finbert-api"}}}],
                    "ports": [{"port": store}],
                }
            ]


def test_settings_are_the_services_own_and_secrets_come_from_the_example(overlay):
    text = overlay[1]
    environment = of_kind(text, "ConfigMap")["finbert-api"]["data"]
    app = of_kind(text, "Deployment")["finbert-api"]["spec"]["template"]["spec"]["containers"][0]
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", (PROJECT_ROOT / "docs/settings.md").read_text(), re.MULTILINE))
    assert environment.keys() | {variable["name"] for variable in app["env"]} <= documented
    secret = documents((K8S / "secret.example.yaml").read_text())[0]["stringData"]
    asked = {
        variable["valueFrom"]["secretKeyRef"]["key"]
        for pod in pod_specs(text)
        for container in pod["containers"] + pod.get("initContainers", [])
        for variable in container.get("env", [])
        if "valueFrom" in variable
    }
    assert asked <= secret.keys()
    settings = settings_from_environment(environment | {name: secret[name] for name in asked & documented})
    services = of_kind(text, "Service")
    assert re.search(r"@([a-z-]+):5432/", settings.database_url)[1] in services
    if settings.redis_url:
        assert re.search(r"@([a-z-]+):6379/", settings.redis_url)[1] in services


def test_checkov_finds_nothing_in_the_manifests():
    run_checkov(K8S, "kubernetes")


def test_checkov_finds_nothing_in_what_an_overlay_makes(overlay, tmp_path):
    path = tmp_path / "overlay.yaml"
    path.write_text(overlay[1])
    run_checkov(path, "kubernetes")
