"""What metrics and log lines cost, and that they stay as many series however many requests come."""

import http.client
import uuid
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

import click
from matplotlib.figure import Figure
from tqdm import tqdm

from benchmarks.options import model_option, results_option, seconds_option, warm_up_option
from benchmarks.report import bars, keep, machine
from benchmarks.servers import Server
from benchmarks.workbench import Workbench, workbench
from finbert_api.settings import available_cpus

CLIENTS = 16
SILENT = {"METRICS_BACKEND": "none", "LOG_LEVEL": "CRITICAL"}
# Of the requests that try to make new series: paths, methods, ids and keys that nobody else has used.
ODD_SHARE = 0.05
ODD_KINDS = 5


@click.command()
@model_option
@click.option("--rounds", type=click.IntRange(1), default=6, show_default=True, help="Turns of each.")
@click.option(
    "--requests", type=click.IntRange(1), default=100_000, show_default=True, help="After which series are counted."
)
@seconds_option
@warm_up_option
@results_option
def observability(*, model: str, rounds: int, requests: int, seconds: float, warm_up: float, results: Path) -> None:
    """Compare the service with one that keeps no metrics and logs nothing, in turns, and count its series.

    The last line is one JSON object: throughput_kept (unique texts) and cached_throughput_kept, each the median of the
    rounds' ratios, series_before and series_after, and what they were computed from.
    """
    with workbench(model) as bench, bench.service() as usual, bench.service(**SILENT) as silent:
        rates: dict[str, dict[str, list[float]]] = {}
        for repeated in (False, True):
            of_load = rates["cached" if repeated else "unique"] = {"usual": [], "silent": []}
            for number in tqdm(range(rounds + 1), desc="cached texts" if repeated else "unique texts"):
                turns = [("usual", usual, silent), ("silent", silent, usual)]
                for name, server, other in turns if number % 2 else reversed(turns):
                    other.pause()
                    measured = bench.load(server, clients=CLIENTS, warm_up=warm_up, seconds=seconds, repeated=repeated)
                    other.resume()
                    if measured.failed or measured.storage_warnings:
                        raise click.ClickException(f"{name}: not every request was answered and stored: {measured}")
                    if number:  # the first turns warm up: threads, connections, caches
                        of_load[name].append(measured.rate)
        silent.pause()
        before = _series(usual)
        odd, usual_requests = _crowd(bench, usual, requests)
        after = _series(usual)
        silent.resume()
    figures: dict[str, Any] = {
        "throughput_kept": _kept(rates["unique"]),
        "cached_throughput_kept": _kept(rates["cached"]),
        "series_before": before,
        "series_after": after,
        "requests": odd + usual_requests,
        "odd_requests": odd,
        "rates": {load: {name: median(each) for name, each in pair.items()} for load, pair in rates.items()},
        "rounds": rates,
        "model": model,
        "machine": machine(available_cpus()),
    }
    keep("observability", figures, _picture(figures), results)


def _kept(rates: dict[str, list[float]]) -> float:
    """The median of the rounds' ratios: the turns of a round are next to each other in time."""
    return round(median(usual / silent for usual, silent in zip(rates["usual"], rates["silent"], strict=True)), 4)


def _crowd(bench: Workbench, server: Server, requests: int) -> tuple[int, int]:
    """Sends that many requests and more: some that make up whatever can be made up, the others the usual ones."""
    odd = int(requests * ODD_SHARE)
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        for number in tqdm(range(odd), desc="odd requests"):
            method, path, headers = _odd_requests(server)[number % ODD_KINDS]
            connection.request(method, path, headers=headers)
            connection.getresponse().read()
    sent = 0
    with tqdm(total=requests, desc="usual requests") as progress:
        while sent < requests:
            measured = bench.load(server, clients=CLIENTS, warm_up=0, seconds=1.0, repeated=True)
            sent += measured.sent
            progress.update(measured.sent)
    return odd, sent


def _odd_requests(server: Server) -> list[tuple[str, str, dict[str, str]]]:
    """One of each of ODD_KINDS: method, path and headers with something in them that nobody else has used."""
    name = uuid.uuid4().hex
    return [
        ("GET", f"/{name}", {}),
        ("GET", f"/api/v1/predictions/{uuid.uuid4()}", server.headers),
        (f"M{name[:8].upper()}", "/api/v1/predict", server.headers),
        ("GET", "/api/v1/predictions", {"X-API-Key": name}),
        ("GET", "/health", {"X-Request-ID": name}),
    ]


def _series(server: Server) -> int:
    """Lines of the service's metrics that are figures, once each kind of request has been there."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        # The figures are asked for twice: the first time counts in the second.
        metrics = ("GET", "/metrics", {})
        for method, path, headers in [*_odd_requests(server), metrics, metrics]:
            connection.request(method, path, headers=headers)
            text = connection.getresponse().read().decode()
    return sum(bool(line) and not line.startswith("#") for line in text.splitlines())


def _picture(figures: dict[str, Any]) -> Figure:
    named = {
        f"{load}, {'with metrics and log' if name == 'usual' else 'silent'}": rate
        for load, pair in figures["rates"].items()
        for name, rate in pair.items()
    }
    return bars(f"What being watched costs on {figures['model']}", "texts a second", named)
