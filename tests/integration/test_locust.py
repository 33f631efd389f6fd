"""The load test: a few users for some seconds, on the bundled model."""

import json
import os
import subprocess
import sys
from collections import Counter

import pytest
from support import ADMIN_KEY

from benchmarks.mix import BATCH, PREDICT, SUMMARY, TIMESERIES
from benchmarks.users import Requests
from finbert_api.settings import PROJECT_ROOT

pytestmark = pytest.mark.benchmark


def run(*command, **environment):
    """Runs a Python module to its end."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=PROJECT_ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip


def test_users_of_all_kinds_get_answers_that_are_all_stored(tmp_path):
    sizes = ("--users=12", "--spawn-rate=12", "--seconds=4")
    # A server that does not answer: whatever DATABASE_URL names is left alone.
    theirs = {"DATABASE_URL": "postgresql://nobody@192.0.2.1/theirs"}
    done = run("benchmarks", "users", "--model=compact", *sizes, f"--results={tmp_path}", **theirs)

    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert json.loads((tmp_path / "users.json").read_text()) == figures
    assert (tmp_path / "users.png").read_bytes().startswith(b"\x89PNG")
    routes = figures["routes"]
    assert {PREDICT, BATCH} <= routes.keys() <= {PREDICT, BATCH, SUMMARY, TIMESERIES}
    assert figures["failures"] == dict.fromkeys(routes, 0)
    assert figures["requests"] == sum(route["requests"] for route in routes.values())
    assert figures["throughput"] == pytest.approx(figures["requests"] / 4, abs=0.01)
    assert 0 < figures["p50_ms"] <= figures["p95_ms"] <= figures["p99_ms"]
    # The service's own count of what locust says was answered, to the last text.
    assert figures["stored"] == figures["predictions"] == routes[PREDICT]["requests"] + 10 * routes[BATCH]["requests"]


def test_failures_are_counted_and_named(start_service, migrated_database, tmp_path):
    service = start_service(DATABASE_URL=migrated_database(), RATE_LIMIT_PREDICT="1/hour").wait_until_ready()
    host = f"--host=http://127.0.0.1:{service.port}"
    options = ("--headless", "--users=8", "--spawn-rate=8", "--run-time=3s", "--stop-timeout=30s", "--only-summary")
    locust = ("locust", "--locustfile=benchmarks/locustfile.py", host, *options, f"--json-file={tmp_path}/counted")
    done = run(*locust, LOAD_API_KEY=ADMIN_KEY)

    assert done.returncode == 1, done.stderr
    (predict,) = [entry for entry in json.loads((tmp_path / "counted.json").read_text()) if entry["name"] == PREDICT]
    assert predict["num_requests"] - predict["num_failures"] == 1
    assert f"{predict['num_failures']} x POST {PREDICT}" in done.stderr
    assert "429" in done.stderr


def test_a_percentile_is_the_time_that_so_many_did_not_exceed():
    requests = Requests(Counter({10.0: 49, 20.0: 1, 300.0: 45, 4000.0: 5}), failures=7)
    assert [requests.percentile(share) for share in (0.01, 0.49, 0.5, 0.95, 0.96, 1)] == [10, 10, 20, 300, 4000, 4000]
    assert requests.answered == 93
    assert Requests().figures() == {"requests": 0, "failures": 0, "p50_ms": 0, "p95_ms": 0, "p99_ms": 0}
