"""What a worker costs in memory, loaded and warm, and what a start takes on the way there."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import click
from matplotlib.figure import Figure
from tqdm import tqdm

from benchmarks.options import model_option, results_option, seconds_option
from benchmarks.processes import Samples, memory_of, tree, tree_memory
from benchmarks.report import keep, machine
from benchmarks.workbench import Workbench, workbench
from finbert_api.settings import available_cpus

CLIENTS = 16
LONGEST_TEXT = 2_000  # characters, of the API
SAMPLE_SECONDS = 0.01
# Beside the usual texts, some as long as requests may bring: what a batch takes grows with them.
LONG_TEXT_SENTENCES = (4, 8, 16)


@click.command()
@model_option
@seconds_option
@results_option
def memory(model: str, seconds: float, results: Path) -> None:
    """Measure private and proportional memory by worker, and the peak of a start against the steady state.

    The last line is one JSON object: worker_private_mb (the larger of what a worker has for itself and of what the
    whole tree grows by with one more), start_peak_ratio, and what they were computed from.
    """
    workers = (available_cpus(), available_cpus() + 1)
    with workbench(model) as bench:
        with bench.service():
            pass  # the caches that a first start makes are not part of the figures
        services = [_of_service(bench, count, seconds) for count in tqdm(workers, desc="services")]
    starts = [(each["workers"], each.pop("start_samples")) for each in services]
    fewer, more = services
    added = more["tree_mb"] - fewer["tree_mb"]
    figures = {
        "worker_private_mb": round(max(more["worker_private_mb"], added), 1),
        "start_peak_ratio": fewer["start_peak_ratio"],
        "added_by_one_worker_mb": round(added, 1),
        "services": services,
        "model": model,
        "machine": machine(available_cpus()),
    }
    keep("memory", figures, _picture(starts), results)


def _of_service(bench: Workbench, workers: int, seconds: float) -> dict[str, Any]:
    """Figures of one service of so many workers, from its start until it is warm, in megabytes."""
    with bench.service(sample_seconds=SAMPLE_SECONDS, WEB_CONCURRENCY=str(workers)) as server:
        pid = server.process.pid
        loaded = tree_memory(pid)
        bench.load(server, clients=CLIENTS, warm_up=0, seconds=seconds)
        for count in LONG_TEXT_SENTENCES * workers:
            server.request(" ".join(bench.sentences[:count])[:LONGEST_TEXT])
        bench.load(server, clients=CLIENTS, warm_up=0, seconds=seconds)
        warm = tree_memory(pid)
        by_worker = [memory_of(worker) for worker in tree(pid)[1:]]
    peak = max(server.start_samples.megabytes, default=0.0)
    return {
        "workers": workers,
        "worker_private_mb": round(mean(each.private for each in by_worker), 1),
        "worker_proportional_mb": round(mean(each.proportional for each in by_worker), 1),
        "loaded_tree_mb": round(loaded.proportional, 1),
        "tree_mb": round(warm.proportional, 1),
        "start_peak_mb": round(peak, 1),
        "start_peak_ratio": round(peak / warm.proportional, 3),
        "start_samples": server.start_samples,
    }


def _picture(starts: Sequence[tuple[int, Samples]]) -> Figure:
    picture = Figure(figsize=(9, 4), layout="constrained")
    axes = picture.subplots()
    for workers, samples in starts:
        axes.plot(samples.seconds, samples.megabytes, label=f"{workers} workers")
    axes.set(title="Memory during a start", xlabel="seconds", ylabel="MB, shared pages split", ylim=(0, None))
    axes.legend()
    return picture
