"""What users of the whole API get who share the service: predictions, batches and analytics together."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from matplotlib.figure import Figure
from tqdm import tqdm

from benchmarks.mix import BATCH, BATCH_ITEMS, KEY_VARIABLE, PREDICT
from benchmarks.options import model_option, results_option
from benchmarks.report import keep, machine
from benchmarks.servers import Server
from benchmarks.workbench import workbench
from finbert_api.settings import PROJECT_ROOT, available_cpus

_LOCUSTFILE = Path(__file__).with_name("locustfile.py")
# Longer than the service lets a request wait: what is out at the end is answered and counted.
_LAST_ANSWERS_SECONDS = 30


@dataclass(slots=True)
class Requests:
    """How many there were, by milliseconds and by the second (of Unix time) of their answer, and how many failed."""

    times: Counter[float] = field(default_factory=Counter)
    seconds: Counter[int] = field(default_factory=Counter)
    failures: int = 0

    @property
    def answered(self) -> int:
        """Those that did not fail."""
        return self.times.total() - self.failures

    def percentile(self, share: float) -> float:
        """The time that this share of the requests did not exceed."""
        reached = 0
        for milliseconds, requests in sorted(self.times.items()):
            reached += requests
            if reached >= share * self.times.total():
                return milliseconds
        return 0.0

    def figures(self) -> dict[str, Any]:
        """What is told of them."""
        percentiles = {f"p{share}_ms": self.percentile(share / 100) for share in (50, 95, 99)}
        return {"requests": self.times.total(), "failures": self.failures, **percentiles}


@click.command()
@model_option
@click.option("--users", "-u", type=click.IntRange(1), default=100, show_default=True, help="At a time.")
@click.option("--spawn-rate", "-r", type=click.IntRange(1), default=10, show_default=True, help="Users a second.")
@click.option("--seconds", "-t", type=click.IntRange(1), default=600, show_default=True, help="From the first user on.")
@results_option
def users(*, model: str, users: int, spawn_rate: int, seconds: int, results: Path) -> None:
    """Let locust's users ask for predictions (70 %), batches of ten (20 %) and analytics (10 %).

    The last line is one JSON object: throughput (requests answered well in a second), p50_ms, p95_ms, p99_ms, failures
    by route, and what they were computed from. locust rounds times above 100 ms to two digits.
    """
    with workbench(model) as bench, bench.service() as server:
        routes = _run_locust(server, bench.folder, users=users, spawn_rate=spawn_rate, seconds=seconds)
        stored = bench.stored()
    together = Requests(
        times=sum((route.times for route in routes.values()), Counter()),
        seconds=sum((route.seconds for route in routes.values()), Counter()),
        failures=sum(route.failures for route in routes.values()),
    )
    predictions = sum(
        texts * routes[path].answered for path, texts in ((PREDICT, 1), (BATCH, BATCH_ITEMS)) if path in routes
    )
    figures = {
        "throughput": round(together.answered / seconds, 2),
        "predictions_per_second": round(predictions / seconds, 2),
        **together.figures(),
        "failures": {path: route.failures for path, route in routes.items()},
        "routes": {path: route.figures() for path, route in routes.items()},
        "predictions": predictions,
        "stored": stored,
        "users": users,
        "seconds": seconds,
        "model": model,
        "machine": machine(available_cpus()),
    }
    keep("users", figures, _picture(routes, together, figures), results)


def _run_locust(server: Server, folder: Path, *, users: int, spawn_rate: int, seconds: int) -> dict[str, Requests]:
    """The requests by route of users that run in a process of their own; what locust warns of goes to standard error.

    Raises click's exception, with the end of locust's output, when it does not end well.
    """
    log, counted = folder / "locust.log", folder / "counted.json"
    command = [
        sys.executable, "-m", "locust", f"--locustfile={_LOCUSTFILE}", f"--host=http://127.0.0.1:{server.port}",
        "--headless", f"--users={users}", f"--spawn-rate={spawn_rate}", f"--run-time={seconds}s",
        f"--stop-timeout={_LAST_ANSWERS_SECONDS}s", "--only-summary", f"--json-file={counted.with_suffix('')}",
        "--loglevel=WARNING", "--exit-code-on-error=0",
    ]  # fmt: skip
    environment = os.environ | {KEY_VARIABLE: server.headers["X-API-Key"]}
    with log.open("wb") as output, tqdm(total=seconds, desc=f"{users} users", unit="s") as progress:
        started = time.monotonic()
        process = subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stdout=output, stderr=output)
        try:
            while process.poll() is None:
                progress.update(min(seconds, int(time.monotonic() - started)) - progress.n)
                time.sleep(0.2)
        finally:
            process.kill()
            process.wait()
    said = log.read_text(encoding="utf-8", errors="replace")
    if process.returncode != 0:
        raise click.ClickException(f"locust failed:\n{said[-2_000:]}")
    click.echo(said, err=True, nl=False)
    return {
        entry["name"]: Requests(
            times=Counter(
                {float(milliseconds): requests for milliseconds, requests in entry["response_times"].items()}
            ),
            seconds=Counter({int(second): requests for second, requests in entry["num_reqs_per_sec"].items()}),
            failures=entry["num_failures"],
        )
        for entry in json.loads(counted.read_text(encoding="utf-8"))
    }


def _picture(routes: Mapping[str, Requests], together: Requests, figures: Mapping[str, Any]) -> Figure:
    """Answers over time, and which share of each route's came within which time."""
    picture = Figure(figsize=(9, 7), layout="constrained")
    rates, times = picture.subplots(2)
    first = min(together.seconds, default=0)
    elapsed = range(max(together.seconds, default=0) - first + 1)
    rates.plot(elapsed, [together.seconds[first + second] for second in elapsed])
    title = f"{figures['users']} users: {figures['throughput']:.1f} requests a second, {together.failures} failed"
    rates.set(title=title, xlabel="seconds", ylabel="answers in a second", ylim=(0, None))
    for path, route in routes.items():
        shares = [share / 200 for share in range(1, 200)]
        times.plot([route.percentile(share) for share in shares], shares, label=path)
    times.set(xlabel="ms", ylabel="share of the requests answered", xscale="log", ylim=(0, 1))
    times.legend()
    return picture
