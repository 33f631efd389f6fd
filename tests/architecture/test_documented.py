"""Settings, endpoints, metrics and commands are documented, and nothing is documented that is not there."""

import re
import subprocess

import click
from described import operations, parameters

from finbert_api.cli.main import finbert
from finbert_api.observability import cloudwatch
from finbert_api.settings import PROJECT_ROOT, settings_from_environment

API = (PROJECT_ROOT / "docs" / "api.md").read_text()
# Method, path, description and errors of each row.
ROUTES = re.findall(r"^\| `([A-Z]+) (/\S*?)` \| (.*?) \| ([0-9 ]*?) *\|$", API, re.MULTILINE)
METRICS = (PROJECT_ROOT / "docs" / "metrics.md").read_text()
METRIC_ROW = r"^\| `([a-z_0-9]+)` \|"
SETTINGS = (PROJECT_ROOT / "docs" / "settings.md").read_text()


class Recorder(dict):
    """An environment that notes which variables are asked for."""

    def __init__(self):
        super().__init__()
        self.asked = set()

    def get(self, name, default=None):
        self.asked.add(name)
        return default


def test_every_setting_is_documented_and_every_documented_one_read():
    environment = Recorder()
    settings_from_environment(environment)
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", SETTINGS, re.MULTILINE)) == environment.asked


def test_the_example_file_names_known_settings_alone():
    named = set(re.findall(r"^# ([A-Z_]+)=", (PROJECT_ROOT / ".env.example").read_text(), re.MULTILINE))
    environment = Recorder()
    settings_from_environment(environment)
    assert named
    assert named <= environment.asked


def test_every_endpoint_is_documented(app):
    documented = {(method, path) for method, path, *_ in ROUTES}
    assert documented == {
        (method, re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if not rule.rule.startswith("/docs/")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }


def test_every_error_of_a_route_is_documented(client):
    document = client.get("/openapi.json").json
    documented = {(method, path): errors.split() for method, path, _, errors in ROUTES}
    for method, path, operation in operations(document):
        of_all = {"401", "500", "503"} if path.startswith("/api/v1/") else {"500"}
        listed = [status for status in operation["responses"] if int(status) >= 400 and status not in of_all]
        assert documented[method.upper(), path] == listed, f"{method} {path}"
    statuses = {
        status for _, _, operation in operations(document) for status in operation["responses"] if status >= "400"
    }
    assert set(re.findall(r"^\| (\d{3}) \|", API, re.MULTILINE)) == statuses | {"405"}


def test_every_query_parameter_is_documented(client):
    document = client.get("/openapi.json").json
    said = {(method, path): text for method, path, text, _ in ROUTES}
    for method, path, operation in operations(document):
        for parameter in parameters(document, path, operation):
            if parameter["in"] == "query":
                assert f"`{parameter['name']}`" in said[method.upper(), path], f"{method} {path}"


def test_every_metric_is_documented(client, admin):
    client.post("/api/v1/predict", json={"text": "Profit rose."}, headers=admin)
    exposed = {
        name + ("_total" if kind == "counter" and not name.endswith("_total") else "")
        for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", client.get("/metrics").text, re.MULTILINE)
        if not name.endswith("_created")
    }
    prometheus, _, cloudwatch_section = METRICS.partition("## CloudWatch")
    assert set(re.findall(METRIC_ROW, prometheus, re.MULTILINE)) == exposed
    sent = {cloudwatch.PREDICTION_COUNT, cloudwatch.PREDICTION_LATENCY, cloudwatch.DB_WRITE_FAILURES}
    sent |= {cloudwatch.ERROR_RATE, cloudwatch.LOW_CONFIDENCE}
    assert set(re.findall(METRIC_ROW, cloudwatch_section, re.MULTILINE)) == sent


def commands(group, prefix="finbert"):
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if isinstance(command, click.Group):
                yield from commands(command, f"{prefix} {name}")
            else:
                yield f"{prefix} {name}"


def test_every_command_is_documented():
    documented = set(
        re.findall(
            r"^\| `(finbert [a-z ]+?)[ `]*(?:[A-Z<\[-].*?)?` \|",
            (PROJECT_ROOT / "docs" / "commands.md").read_text(),
            re.MULTILINE,
        )
    )
    assert documented == set(commands(finbert))


def test_every_make_target_has_its_help():
    targets = set(re.findall(r"^([a-z][a-z-]*):", (PROJECT_ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = subprocess.run(["make", "help"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True).stdout
    assert targets == set(re.findall(r"^  make ([a-z-]+)", shown, re.MULTILINE))


def test_the_readme_names_no_target_or_file_that_is_not_there():
    readme = (PROJECT_ROOT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", (PROJECT_ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z-]+)", readme)) <= targets
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", readme) if not link.startswith("http")]
    assert links
    assert [link for link in links if not (PROJECT_ROOT / link).exists()] == []
    documents = [PROJECT_ROOT / link for link in links if link.endswith(".md")]
    assert [document.name for document in documents if len(document.read_text()) < 200] == []
    assert "@@" not in readme
