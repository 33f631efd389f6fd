"""What Prometheus and Grafana read: whole, documented, and fitting each other."""

import json
import re
import shutil
import subprocess
from itertools import combinations

import pytest
import yaml

from finbert_api.observability.prometheus import PrometheusMetrics
from finbert_api.settings import PROJECT_ROOT

MONITORING = PROJECT_ROOT / "monitoring"
PROMETHEUS, GRAFANA = MONITORING / "prometheus", MONITORING / "grafana"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))


def rules():
    """Every rule of every file."""
    documents = [yaml.safe_load(path.read_text()) for path in (PROMETHEUS / "rules").glob("*.yml")]
    return [rule for document in documents for group in document["groups"] for rule in group["rules"]]


def alerts():
    return [rule for rule in rules() if "alert" in rule]


def rule_tests():
    """Every test of a rule: for each its alert's name and the moments it fires or not, in order."""
    for path in (PROMETHEUS / "tests").glob("*.yml"):
        for test in yaml.safe_load(path.read_text())["tests"]:
            expected = sorted(
                test.get("alert_rule_test", []), key=lambda each: int(each["eval_time"].removesuffix("m"))
            )
            for name in {each["alertname"] for each in expected}:
                yield name, [bool(each["exp_alerts"]) for each in expected if each["alertname"] == name]


def panels(path):
    """Those that show something."""
    return [panel for panel in json.loads(path.read_text())["panels"] if panel["type"] != "row"]


def expressions():
    """What rules and panels ask."""
    shown = [target["expr"] for path in DASHBOARDS for panel in panels(path) for target in panel["targets"]]
    return shown + [rule["expr"] for rule in rules()]


def read_by(expressions, pattern):
    return {name for expression in expressions for name in re.findall(pattern, expression)}


def provisioned_source():
    (source,) = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text())["datasources"]
    return source


@pytest.fixture
def promtool():
    """Runs promtool and gives what it did."""
    program = shutil.which("promtool")
    if not program:
        pytest.skip("promtool is not installed (the Debian package prometheus)")
    return lambda *arguments: subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )


def test_prometheus_takes_the_configuration_and_its_rules(promtool):
    done = promtool("check", "config", "--lint-fatal", PROMETHEUS / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_fires_and_stops_as_its_test_says(promtool):
    done = promtool("test", "rules", *(PROMETHEUS / "tests").glob("*.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_shown_quiet_then_firing_then_quiet():
    shown = {name for name, moments in rule_tests() if moments == [False, True, False]}
    assert shown == {rule["alert"] for rule in alerts()}


def test_each_alert_says_how_bad_it_is_what_is_the_case_and_where_to_look():
    assert len({rule["alert"] for rule in alerts()}) == len(alerts()) > 0
    for rule in alerts():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"].keys() == {"summary", "runbook"}
        named = re.findall(r"[A-Z]\w+(?= dashboard)", rule["annotations"]["runbook"])
        assert {name.lower() for name in named} <= {path.stem for path in DASHBOARDS}


def test_rules_and_dashboards_read_every_metric_that_the_service_has_and_no_other():
    exposed = set(re.findall(r"^# TYPE (\S+) ", PrometheusMetrics().exposition().decode(), re.MULTILINE))
    read = read_by(expressions(), r"(?<![\w:])([a-z_]+)\{") - {"up"}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in read} == {
        name for name in exposed if not name.endswith("_created")
    }


def test_what_is_recorded_is_read_and_what_is_read_recorded():
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    assert read_by(expressions(), r"\bjob\w*:[\w:]+") == recorded


def test_every_expression_keeps_to_the_service():
    job = next(iter(yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]))["job_name"]
    for expression in expressions():
        # A recorded figure is the service's own already.
        assert all(f'job="{job}"' in one for one in re.findall(r"(?<![\w:])\w+(\{[^}]*\})", expression)), expression


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_each_panel_says_what_it_shows_and_in_which_unit(path):
    source = provisioned_source()
    for panel in panels(path):
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": source["type"], "uid": source["uid"]}
        assert all(target["legendFormat"] for target in panel["targets"])
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_lie_on_grafanas_grid_and_on_no_other(path):
    board = json.loads(path.read_text())
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    places = [panel["gridPos"] for panel in board["panels"]]
    assert all(0 <= place["x"] <= place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        assert (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        ), f"{one} and {other}"


def test_each_dashboard_has_an_address_of_its_own():
    boards = [json.loads(path.read_text()) for path in DASHBOARDS]
    assert len(boards) > 0
    assert len({board["uid"] for board in boards}) == len({board["title"] for board in boards}) == len(boards)
    # What provisioning makes anew has no number of Grafana's own.
    assert all(board.get("id") is None and board["schemaVersion"] >= 39 for board in boards)


def test_grafana_is_told_prometheus_scrape_interval():
    interval = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["global"]["scrape_interval"]
    assert provisioned_source()["jsonData"]["timeInterval"] == interval
