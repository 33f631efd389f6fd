"""A real Prometheus, with the project's configuration and rules, scrapes the running service."""

import json
import math
import re
import shutil
import subprocess
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml
from support import free_port, wait_for

from finbert_api.settings import PROJECT_ROOT

PROGRAM = shutil.which("prometheus")
PROMETHEUS = PROJECT_ROOT / "monitoring" / "prometheus"
DASHBOARDS = sorted((PROJECT_ROOT / "monitoring" / "grafana" / "dashboards").glob("*.json"))
INTERVAL = "500ms"
CLIENTS = 8
# What Grafana puts in: four scrape intervals at least.
RATE_INTERVAL = "5s"
DATA_SECONDS = 30

pytestmark = pytest.mark.skipif(not PROGRAM, reason="Prometheus is not installed (the Debian package prometheus)")


class Prometheus:
    """The program over the project's own files; only the target and the intervals are the test's."""

    def __init__(self, folder, target):
        config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
        config["global"] = dict.fromkeys(config["global"], INTERVAL)
        config["rule_files"] = [str(PROMETHEUS / pattern) for pattern in config["rule_files"]]
        (scrape,) = config["scrape_configs"]
        scrape["static_configs"] = [{"targets": [target]}]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self._address = f"127.0.0.1:{free_port()}"
        self._log = (folder / "prometheus.log").open("wb")
        self._process = subprocess.Popen(
            [PROGRAM, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address={self._address}"],
            stdout=self._log, stderr=self._log,
        )  # fmt: skip
        wait_for(self._is_ready, "Prometheus to be ready")

    def ask(self, path, **parameters):
        """The data of an answer of its HTTP API."""
        with urlopen(f"http://{self._address}/api/v1/{path}?{urlencode(parameters)}", timeout=30) as answer:
            document = json.load(answer)
        assert document["status"] == "success"
        return document["data"]

    def values(self, query, labels=()):
        """The numbers with these labels that a query gives now; what is no number (0 / 0) is none."""
        samples = [
            sample for sample in self.ask("query", query=query)["result"] if {*labels} <= sample["metric"].keys()
        ]
        return [value for sample in samples if math.isfinite(value := float(sample["value"][1]))]

    def close(self):
        self._process.terminate()
        self._process.wait(timeout=30)
        self._log.close()

    def _is_ready(self):
        assert self._process.poll() is None
        with suppress(OSError), urlopen(f"http://{self._address}/-/ready", timeout=5) as answer:
            return answer.status == 200


class Traffic:
    """Clients that send predictions new and known, batches, analytics and nonsense until they are told to stop."""

    def __init__(self, service):
        self._service = service
        self._numbers = count()
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(CLIENTS)
        self._clients = [self._pool.submit(self._send) for _ in range(CLIENTS)]

    def stop(self):
        """Ends it and gives how often each status was answered, and how many predictions."""
        self._stopped.set()
        self._pool.shutdown()
        answers = [answer for client in self._clients for answer in client.result()]
        return Counter(status for status, _ in answers), sum(predictions for _, predictions in answers)

    def _send(self):
        answers = []
        while not self._stopped.is_set():
            number = next(self._numbers)
            new = [{"text": f"Profit of company {number} {word} this year."} for word in ("rose", "fell", "was told")]
            for method, path, body in (
                ("POST", "predict", new[0]),
                ("POST", "predict", {"text": "Sales grew."}),
                ("POST", "predict", {"words": 1}),
                ("POST", "predict/batch", {"items": new}),
                ("GET", "analytics/summary", None),
            ):
                status, _, answer = self._service.request(method, f"/api/v1/{path}", body)
                answers.append((status, answer.get("succeeded", "label" in answer)))
        return answers


@pytest.fixture
def service(start_service, migrated_database):
    """A service that soon has too much to do, and is soon unsure."""
    environment = {"DATABASE_URL": migrated_database(), "MAX_QUEUE_TOKENS": "32", "LOW_CONFIDENCE": "0.99"}
    return start_service(**environment).wait_until_ready()


@pytest.fixture
def prometheus(service, tmp_path):
    prometheus = Prometheus(tmp_path, f"127.0.0.1:{service.port}")
    yield prometheus
    prometheus.close()


@pytest.fixture
def traffic(service):
    traffic = Traffic(service)
    yield traffic
    traffic.stop()


def panel_queries():
    """What the dashboards ask, as Grafana sends it, with the labels that name the lines."""
    boards = [json.loads(path.read_text()) for path in DASHBOARDS]
    targets = [target for board in boards for panel in board["panels"] for target in panel.get("targets", [])]
    return [
        (target["expr"].replace("$__rate_interval", RATE_INTERVAL), re.findall(r"{{(\w+)}}", target["legendFormat"]))
        for target in targets
    ]


def rule_queries(rules):
    """What the rules ask; of an alert without its thresholds, since none is passed in good times."""
    return [(re.sub(r"(==|[<>]=?) *[0-9.]+", "", rule["query"]), []) for rule in rules]


def test_every_panel_and_rule_has_data_under_load_and_the_figures_are_the_clients(prometheus, traffic, service):
    groups = prometheus.ask("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert {rule["type"] for rule in rules} == {"alerting", "recording"}
    without_data = panel_queries() + rule_queries(rules)
    assert len(without_data) > len(rules) > 0

    def each_has_had_data():
        without_data[:] = [(query, labels) for query, labels in without_data if not prometheus.values(query, labels)]
        return not without_data

    with suppress(AssertionError):  # the next line says it better
        wait_for(each_has_had_data, "data", DATA_SECONDS)
    (target,) = prometheus.ask("targets")["activeTargets"]
    assert target["lastError"] == ""
    assert without_data == []

    statuses, predictions = traffic.stop()
    assert {200, 422, 503} <= statuses.keys() <= {200, 422, 503}
    for status, answers in statuses.items():
        query = f'sum(http_requests_total{{route=~"/api/v1/.*", status="{status}"}})'
        wait_for(lambda: prometheus.values(query) == [answers], f"{answers} answers {status}")  # noqa: B023 - at once
    assert prometheus.values("sum(model_predictions_total)") == [predictions]
    assert prometheus.values("sum(cache_hits_total)")[0] > 0
    assert prometheus.values("sum(model_low_confidence_total)")[0] > 0

    rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    assert {rule["health"] for rule in rules} == {"ok"}
    service.stop()
    wait_for(lambda: prometheus.values('ALERTS{alertname="FinbertDown"}'), "the alert of a service that is gone")
