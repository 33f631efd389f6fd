"""How long the service takes from its command to being ready, at a second start on a host."""

import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import click
from tqdm import tqdm

from benchmarks.options import model_option, results_option
from benchmarks.report import bars, keep, machine
from benchmarks.served import served_artifact
from benchmarks.servers import free_port, service, service_environment, serving
from benchmarks.workbench import workbench
from finbert_api.settings import available_cpus

WAYS = ("finbert run", "finbert run, database there", "gunicorn, database there")


@click.command()
@model_option
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Starts of each kind.")
@results_option
def startup(model: str, rounds: int, results: Path) -> None:
    """Measure from exec to /ready 200: `finbert run` with its own PostgreSQL, with one that is there, and gunicorn.

    The last line is one JSON object: ready_seconds, the median of `finbert run` with its own PostgreSQL, which it
    starts and migrates first; and the medians and all times of each way.
    """
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    store = served_artifact(model).model_path.parent
    with workbench(model) as bench, TemporaryDirectory(prefix="finbert-benchmark-") as folder:
        log = Path(folder) / "service.log"
        for number in tqdm(range(-1, rounds), desc="starts"):  # the first of each makes databases and caches
            with service(store, log) as own:
                pass
            with service(store, log, database_url=bench.database_url) as there:
                pass
            port = free_port()
            environment = service_environment(
                DATABASE_URL=bench.database_url,
                MODEL_STORE=str(store),
                PORT=str(port),
                DATA_DIR=str(log.parent / "data"),
            )
            command = [sys.executable, "-m", "gunicorn", "-c", "python:finbert_api.gunicorn_conf", "wsgi:app"]
            with serving("gunicorn", command, port, environment, log) as gunicorn:
                pass
            if number >= 0:
                for way, server in zip(WAYS, (own, there, gunicorn), strict=True):
                    seconds[way].append(round(server.ready_seconds, 3))
    medians = {way: round(median(times), 3) for way, times in seconds.items()}
    figures = {
        "ready_seconds": medians[WAYS[0]],
        "medians": medians,
        "seconds": seconds,
        "model": model,
        "machine": machine(available_cpus()),
    }
    keep("startup", figures, bars(f"From exec to ready, {model}, second start", "seconds", medians), results)
