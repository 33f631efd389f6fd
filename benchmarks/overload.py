"""What is left of the service under several times the load that it can take."""

from pathlib import Path
from statistics import mean
from typing import Any

import click
from matplotlib.figure import Figure
from tqdm import tqdm

from benchmarks.load import Measured
from benchmarks.options import clients_option, model_option, results_option
from benchmarks.processes import Samples, sampled
from benchmarks.report import keep, machine
from benchmarks.workbench import workbench
from finbert_api.settings import available_cpus

EXPECTED_STATUSES = {"200", "503", "504"}
# Reading a process's memory keeps the kernel busy for some milliseconds.
SAMPLE_SECONDS = 1.0
# Heaps and the stacks of many threads grow a little for some minutes, the less the longer; docs/performance.md has the
# curve. What goes on growing then would be a leak.
WARM_UP_SECONDS = 240.0
# A cache that fills for the first time grows as it should. This one is full before the overload begins.
CACHE_ENTRIES = "100"


@click.command()
@model_option
@clients_option
@click.option("--times", type=click.FloatRange(1), default=5.0, show_default=True, help="Load over the peak's rate.")
@click.option(
    "--peak-seconds", type=click.FloatRange(0.1), default=30.0, show_default=True, help="Of each closed loop."
)
@click.option("--seconds", type=click.FloatRange(0.1), default=60.0, show_default=True, help="Of the overload.")
@click.option(
    "--warm-up", type=click.FloatRange(0), default=WARM_UP_SECONDS, show_default=True, help="Of the overload."
)
@results_option
def overload(
    *,
    model: str,
    clients: tuple[int, ...],
    times: float,
    peak_seconds: float,
    seconds: float,
    warm_up: float,
    results: Path,
) -> None:
    """Send several times the service's best rate, whether or not it answers.

    The last line is one JSON object: goodput_vs_peak, other_answers (neither 200 nor 503 nor 504, or none at all),
    growth_mb, and what they were computed from.
    """
    with workbench(model) as bench, bench.service(CACHE_ENTRIES=CACHE_ENTRIES) as server:

        def closed_loop(count: int) -> Measured:
            return bench.load(server, clients=count, warm_up=peak_seconds / 4, seconds=peak_seconds)

        peaks = {count: closed_loop(count) for count in tqdm(clients, desc="peak")}
        best = max(clients, key=lambda count: peaks[count].rate)
        # Anew: the best of several owes a part of its rate to chance.
        before = closed_loop(best)
        if not before.rate:
            raise click.ClickException("the service answered nothing before the overload")
        with sampled(server.process.pid, SAMPLE_SECONDS) as samples:
            for rate in tqdm([before.rate * times], desc=f"{times:g} x {before.rate:.0f} a second for {seconds:g} s"):
                over = bench.load(server, rate=rate, warm_up=warm_up, seconds=seconds)
        afterwards = closed_loop(best)
        stored = bench.stored()
    loads = (*peaks.values(), before, over, afterwards)
    window = samples.between(warm_up, warm_up + seconds)
    figures = {
        # The machine's speed drifts in a minute: the peak is what it was on either side of the overload.
        "goodput_vs_peak": round(over.rate / mean([before.rate, afterwards.rate]), 3),
        "other_answers": _others(over) + afterwards.failed,
        "growth_mb": round(window.growth(), 2),
        "rate_before": before.rate,
        "peak_rates": {count: measured.rate for count, measured in peaks.items()},
        "offered_rate": round(before.rate * times, 2),
        "goodput": over.rate,
        "p50_ms": over.p50_ms,
        "p99_ms": over.p99_ms,
        "sent": over.sent,
        "statuses": over.statuses,
        "connection_errors": over.connection_errors,
        "unsent": over.unsent,
        "rate_afterwards": afterwards.rate,
        "failed_afterwards": afterwards.failed,
        "answered": sum(each.answered for each in loads),
        "stored": stored,
        "storage_warnings": sum(each.storage_warnings for each in loads),
        "memory_mb": [round(min(window.megabytes, default=0), 1), round(max(window.megabytes, default=0), 1)],
        "model": model,
        "machine": machine(available_cpus()),
    }
    keep("overload", figures, _picture(samples, figures), results)


def _others(measured: Measured) -> int:
    """Requests that got another answer than the service's contract knows, or none."""
    others = sum(count for status, count in measured.statuses.items() if status not in EXPECTED_STATUSES)
    return others + measured.connection_errors


def _picture(samples: Samples, figures: dict[str, Any]) -> Figure:
    picture = Figure(figsize=(9, 4), layout="constrained")
    axes = picture.subplots()
    axes.plot(samples.seconds, samples.megabytes)
    title = f"Memory under overload: {figures['offered_rate']:.0f} requests a second, {figures['goodput']:.0f} answered"
    axes.set(title=title, xlabel="seconds", ylabel="MB, shared pages split", ylim=(0, None))
    return picture
