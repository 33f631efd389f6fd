"""docker-compose.yml: valid, its settings the service's own, its files there, its secrets told of."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from finbert_api.settings import PROJECT_ROOT, settings_from_environment

COMPOSE = PROJECT_ROOT / "docker-compose.yml"
TEXT = COMPOSE.read_text()
SERVICES = yaml.safe_load(TEXT)["services"]
DOCUMENTED = set(re.findall(r"^\| `([A-Z_]+)` \|", (PROJECT_ROOT / "docs" / "settings.md").read_text(), re.MULTILINE))


def filled(value, secrets):
    """A value as compose fills it in: given secrets, and the defaults of what is not given."""
    form = re.compile(r"\$\{([A-Z_]+)(?::([-?])([^}]*))?\}")
    return form.sub(lambda found: secrets.get(found[1], found[3] if found[2] == "-" else ""), str(value))


def test_it_is_a_compose_file():
    check = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run(
        [str(check), "--builtin-schema", "vendor.compose-spec", str(COMPOSE)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_the_services_settings_are_documented_and_good():
    environment = SERVICES["app"]["environment"]
    assert environment.keys() <= DOCUMENTED
    secrets = dict.fromkeys(required_secrets(), "s" * 32)
    settings = settings_from_environment({name: filled(value, secrets) for name, value in environment.items()})
    assert "@postgres:5432/" in settings.database_url
    assert SERVICES["postgres"]["environment"]["POSTGRES_DB"] == settings.database_url.rpartition("/")[2]
    assert "@redis:6379/" in settings.redis_url


def required_secrets():
    return set(re.findall(r"\$\{([A-Z_]+):\?", TEXT))


def test_no_secret_has_a_default_and_the_docs_name_each():
    docs = (PROJECT_ROOT / "docs" / "image.md").read_text()
    assert required_secrets() == {"API_KEY", "JWT_SECRET", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "GRAFANA_PASSWORD"}
    assert all(f"{name}=" in docs for name in required_secrets())
    secret_words = re.findall(r"(?:PASSWORD|SECRET|API_KEY|AUTH): (.*)", TEXT)
    assert secret_words
    assert all(value.startswith("${") and ":?" in value for value in secret_words)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_a_health_check_and_waits_for_healthy_ones(name):
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] == "CMD"
    for other, condition in service.get("depends_on", {}).items():
        assert condition == {"condition": "service_healthy"}, other


def test_what_watches_the_service_starts_with_its_profile_alone():
    profiles = {name: service.get("profiles") for name, service in SERVICES.items()}
    watching = {name for name, names in profiles.items() if names == ["observability"]}
    assert watching == {"prometheus", "grafana", "otel-collector"}
    assert {name for name, names in profiles.items() if names is None} == {"app", "postgres", "redis"}


def test_ports_are_open_on_this_machine_alone():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_mounted_file_is_there():
    mounted = [
        volume for service in SERVICES.values() for volume in service.get("volumes", []) if volume.startswith("./")
    ]
    assert mounted
    for volume in mounted:
        source, _target, mode = volume.split(":")
        assert (PROJECT_ROOT / source).exists(), source
        assert mode == "ro"


def test_the_service_is_held_as_tightly_as_its_tests_hold_it():
    app = SERVICES["app"]
    assert app["read_only"]
    assert app["cap_drop"] == ["ALL"]
    assert app["security_opt"] == ["no-new-privileges:true"]
    assert app["mem_limit"] == "1g"
    assert {volume.rpartition(":")[2] for volume in app["volumes"]} == {"/var/lib/finbert"}
