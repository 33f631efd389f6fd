"""Starts the peers: their virtual environment made on demand, each at the layout that serves it best."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click
from tqdm import tqdm

from benchmarks.load import Load, run_load
from benchmarks.raw import divisions
from benchmarks.report import RESULTS
from benchmarks.servers import Server, free_port, service_environment, serving
from finbert_api.settings import PROJECT_ROOT, available_cpus

PEERS = ("litserve", "bentoml")
# LitServe waits so long for a batch to fill. At 0 it takes what is there, and its workers never sleep.
LITSERVE_BATCH_SECONDS = (0.0, 0.005)
_REQUIREMENTS = Path(__file__).parent / "peers" / "requirements.txt"


@dataclass(frozen=True, slots=True)
class PeerLayout:
    """A peer with so many workers of so many threads; `batch_seconds` is LitServe's wait for a batch to fill."""

    name: str
    workers: int
    threads: int
    batch_seconds: float = 0.0

    def __str__(self) -> str:
        waits = f", waits {self.batch_seconds * 1_000:g} ms" if self.name == "litserve" else ""
        return f"{self.name} {self.workers}x{self.threads}{waits}"


def peer_python() -> Path:
    """The interpreter of the peers' environment, which is made when it is not there or its pins changed."""
    digest = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()[:12]
    folder = RESULTS / f"peers-{digest}"
    python = folder / "bin" / "python"
    complete = folder / "complete"
    if not complete.is_file():
        environment = [sys.executable, "-m", "venv", "--clear", str(folder)]
        install = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "-r", str(_REQUIREMENTS)]
        for command in tqdm((environment, install), desc="install LitServe and BentoML"):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise click.ClickException(
                    f"the peers' environment can't be made:\n{done.stdout}{done.stderr}"[-2_000:]
                )
        complete.touch()
    return python


@contextmanager
def peer(layout: PeerLayout, artifact: Path, log: Path) -> Iterator[Server]:
    """A peer over the artifact, ready."""
    python = peer_python()
    port = free_port()
    environment = service_environment(
        PYTHONPATH=str(PROJECT_ROOT),
        PEER_ARTIFACT=str(artifact),
        PEER_PORT=str(port),
        PEER_WORKERS=str(layout.workers),
        PEER_THREADS=str(layout.threads),
        PEER_BATCH_SECONDS=str(layout.batch_seconds),
        BENTOML_DO_NOT_TRACK="True",
        BENTOML_HOME=str(log.parent / "bentoml"),
    )
    if layout.name == "litserve":
        command = [str(python), "-m", "benchmarks.peers.litserve_server"]
        body, ready_path = '{"text": {text}}', "/health"
    else:
        command = [
            str(python), "-m", "bentoml", "serve", "benchmarks.peers.bentoml_server:Sentiment",
            "--host", "127.0.0.1", "--port", str(port), "--quiet",
        ]  # fmt: skip
        body, ready_path = '{"texts": [{text}]}', "/readyz"
    with serving(
        str(layout), command, port, environment, log, ready_path=ready_path, path="/predict", body=body
    ) as server:
        yield server


def peer_scores(server: Server, text: str) -> dict[str, float]:
    """The scores that a peer gives one text."""
    answer = server.request(text)
    scores: dict[str, float] = answer["scores"] if isinstance(answer, dict) else answer[0]
    return scores


def best_peer_layout(name: str, artifact: Path, folder: Path, load: Load) -> tuple[PeerLayout, dict[str, float]]:
    """The layout that answers most under a load, whose port and form are filled in; the rate of each that was tried."""
    layouts = [
        PeerLayout(name, workers, threads, wait)
        for workers, threads in divisions(available_cpus())
        for wait in (LITSERVE_BATCH_SECONDS if name == "litserve" else (0.0,))
    ]
    tried: dict[PeerLayout, float] = {}
    for layout in tqdm(layouts, desc=f"{name}'s best layout"):
        with peer(layout, artifact, folder / f"{name}.log") as server:
            tried[layout] = run_load(replace(load, port=server.port, path=server.path, body=server.body)).rate
    return max(tried, key=lambda layout: tried[layout]), {str(each): rate for each, rate in tried.items()}
