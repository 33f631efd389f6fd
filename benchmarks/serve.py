"""How much of the raw session's rate the real service keeps, and how it stands against servers to pick instead.

All of them take turns, round by round, on the same texts and the same artifact; a ratio is one of medians of one run.
"""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import mean, median
from typing import Any

import click
from matplotlib.figure import Figure
from tqdm import tqdm

from benchmarks.layouts import compare_layouts
from benchmarks.load import FIRST_SERIAL, Load, Measured
from benchmarks.options import clients_option, model_option, numbers, results_option, seconds_option, warm_up_option
from benchmarks.peer_servers import PEERS, best_peer_layout, peer, peer_scores
from benchmarks.raw import Layout, best_layout, raw_pool, spins_for_singles
from benchmarks.report import bars, keep, machine
from benchmarks.servers import Server, bare_route
from benchmarks.texts import numbered, token_ids
from benchmarks.workbench import Workbench, workbench
from finbert_api.inference.tokenizer import TextTokenizer
from finbert_api.settings import available_cpus

MAIN_CLIENTS = 16
MAIN, ONE_CLIENT = f"service, {MAIN_CLIENTS} clients", "service, 1 client"
CHECKED_TEXTS = 8
SCORE_TOLERANCE = 1e-4  # one unit of the last decimal that is shown
RAW_TRIAL_SECONDS = 1.5
# Of raw session and service in each round: the machine's speed changes within seconds by more than what is to be seen.
RAW_TURNS = 4
# With one client it is a difference of milliseconds that is to be seen: turns are so much shorter, and texts so few
# that each of them is sent several times in a turn. Medians are of the same lengths on both sides.
SINGLE_TURN_SECONDS = 0.5
SINGLE_TEXTS = 8
MOST_FILLINGS, FILLING_SECONDS = 100, 1.0
HITS_FOR_EACH = 4


@click.command()
@model_option
@clients_option
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Turns of each.")
@seconds_option
@warm_up_option
@click.option(
    "--budgets",
    callback=numbers,
    default="256,512,1024,2048,4096",
    show_default=True,
    help="Tokens in a batch that are tried on the raw session.",
)
@click.option("--peers/--no-peers", default=True, show_default=True, help="Measure LitServe and BentoML too.")
@click.option("--layouts", is_flag=True, help="Compare workers x threads of the service instead.")
@results_option
def serve(
    *,
    model: str,
    clients: tuple[int, ...],
    rounds: int,
    seconds: float,
    warm_up: float,
    budgets: tuple[int, ...],
    peers: bool,
    layouts: bool,
    results: Path,
) -> None:
    """Compare the service under load with the raw session, with peers, and with a bare route.

    The last line is one JSON object: serve_vs_raw, serve_vs_best_peer, single_overhead_ms, cached_vs_bare, and what
    they were computed from.
    """
    with workbench(model) as bench:
        if layouts:
            compare_layouts(bench, model, clients, rounds, warm_up=warm_up, seconds=seconds, results=results)
            return
        measurement = _Measurement(bench, warm_up, seconds)
        measured = measurement.run(sorted({*clients} - {1, MAIN_CLIENTS}), rounds, budgets, PEERS if peers else ())
    figures = measured | {"model": model, "machine": machine(available_cpus())}
    keep("serve", figures, _picture(figures), results)


class _Measurement:
    """The contestants, the loads they were given, and what came of them."""

    def __init__(self, bench: Workbench, warm_up: float, seconds: float) -> None:
        self._bench = bench
        self._warm_up = warm_up
        self._seconds = seconds
        tokenizer = TextTokenizer(bench.artifact.tokenizer_path, bench.artifact.manifest.max_tokens)
        self._tokens = token_ids(tokenizer, bench.sentences)
        self._lengths = [len(ids) for ids in self._tokens]
        self._loads: dict[str, list[Measured]] = defaultdict(list)
        self._filling: list[Measured] = []
        self._raw: dict[str, list[float]] = defaultdict(list)
        self._paired: dict[str, list[float]] = defaultdict(list)

    def run(self, clients: Sequence[int], rounds: int, budgets: Sequence[int], peers: Sequence[str]) -> dict[str, Any]:
        """All figures, after so many rounds in which each contestant has its turn."""
        bench = self._bench
        store = bench.artifact.model_path.parent
        trial = Load(0, bench.sentences, clients=MAIN_CLIENTS, warm_up=self._warm_up, seconds=self._seconds)
        graph, processors = bench.artifact.model_path, available_cpus()
        trial_seconds = min(RAW_TRIAL_SECONDS, self._seconds)
        layout, raw_tried = best_layout(graph, self._tokens, processors, budgets, trial_seconds)
        single_seconds = min(SINGLE_TURN_SECONDS, self._seconds)
        spins = spins_for_singles(graph, self._tokens[:SINGLE_TEXTS], processors, single_seconds)
        peer_layouts = {name: best_peer_layout(name, store, bench.folder, trial) for name in peers}
        with ExitStack() as stack:
            running = {
                name: stack.enter_context(peer(chosen, store, bench.folder / f"{name}.log"))
                for name, (chosen, _) in peer_layouts.items()
            }
            service = stack.enter_context(bench.service())
            checked = self._check_scores(service, running)
            for server in running.values():
                server.pause()
            bare = stack.enter_context(bare_route(bench.folder / "bare.log"))
            for _ in tqdm(range(rounds), desc="rounds"):
                self._single_turns(service, spins=spins)
                self._main_turns(service, layout)
                for count in clients:
                    self._turn(f"service, {count} clients", service, count)
                for name, server in running.items():
                    server.resume()
                    self._turn(name, server, MAIN_CLIENTS)
                    server.pause()
                self._fill_caches(service)
                self._turn("cached", service, MAIN_CLIENTS, repeated=True)
                self._turn("bare", bare, MAIN_CLIENTS)
        tried = {"raw": raw_tried} | {name: rates for name, (_, rates) in peer_layouts.items()}
        single = f"1x{processors}, threads that {'spin' if spins else 'sleep'}"
        best = {"raw": str(layout), "raw, one text": single}
        best |= {name: str(chosen) for name, (chosen, _) in peer_layouts.items()}
        return self._figures(peers) | self._stored(checked) | {"best_layouts": best, "tried": tried}

    def _turn(
        self,
        name: str,
        server: Server,
        clients: int,
        *,
        repeated: bool = False,
        seconds: float | None = None,
        warm_up: float | None = None,
        lengths: Sequence[int] = (),
    ) -> Measured:
        measured = self._bench.load(
            server,
            clients=clients,
            warm_up=self._warm_up if warm_up is None else warm_up,
            seconds=seconds or self._seconds,
            repeated=repeated,
            lengths=lengths,
        )
        if measured.failed or measured.storage_warnings:
            raise click.ClickException(f"{name}: not every request was answered and stored: {measured}")
        self._loads[name].append(measured)
        return measured

    def _fill_caches(self, service: Server) -> None:
        """Sends the repeated texts until the workers know them all, as far as that shows."""
        hits_in_a_row = 0
        for _ in range(MOST_FILLINGS):
            filling = self._bench.load(service, clients=MAIN_CLIENTS, warm_up=0, seconds=FILLING_SECONDS, repeated=True)
            self._filling.append(filling)
            hits_in_a_row = hits_in_a_row + filling.answered if filling.cache_hits == filling.answered else 0
            if hits_in_a_row > HITS_FOR_EACH * len(self._bench.sentences):
                return
        raise click.ClickException("repeated texts are not answered from the cache")

    def _single_turns(self, service: Server, *, spins: bool) -> None:
        """Raw session and service in turns with one text at a time."""
        turns = max(1, round(self._seconds / SINGLE_TURN_SECONDS))
        seconds = self._seconds / turns
        warm_up = min(self._warm_up, seconds)
        lengths = self._lengths[:SINGLE_TEXTS]
        with raw_pool(self._bench.artifact.model_path, 1, available_cpus(), spinning=spins) as pool:
            for _ in range(turns):
                milliseconds = pool.single_ms(self._tokens[:SINGLE_TEXTS], seconds)
                alone = self._turn(ONE_CLIENT, service, 1, seconds=seconds, warm_up=warm_up, lengths=lengths)
                self._raw["single_ms"].append(milliseconds)
                self._paired["single_overhead_ms"].append(alone.p50_ms - milliseconds)

    def _main_turns(self, service: Server, layout: Layout) -> None:
        """Raw session and service in turns with the main load."""
        seconds = self._seconds / RAW_TURNS
        with raw_pool(self._bench.artifact.model_path, layout.processes, layout.threads) as pool:
            for _ in range(RAW_TURNS):
                rate = pool.throughput(self._tokens, layout.batch_tokens, seconds)
                loaded = self._turn(MAIN, service, MAIN_CLIENTS, seconds=seconds, lengths=self._lengths)
                self._raw["rate"].append(rate)
                # A short turn's texts are longer or shorter than all on the average.
                self._paired["serve_vs_raw"].append(loaded.token_rate / mean(self._lengths) / rate)

    def _check_scores(self, service: Server, peers: dict[str, Server]) -> int:
        """Compares the peers' scores with the service's, and gives the number of texts that the service was sent."""
        texts = [numbered(text, FIRST_SERIAL) for text in self._bench.sentences[:CHECKED_TEXTS]]
        for text in texts:
            expected = service.request(text)["scores"]
            for name, server in peers.items():
                scores = peer_scores(server, text)
                if any(abs(scores[label] - score) > SCORE_TOLERANCE for label, score in expected.items()):
                    raise click.ClickException(f"{name} scores {scores} where the service scores {expected}")
        return len(texts)

    def _stored(self, checked: int) -> dict[str, Any]:
        """Whether every answer of the service, from the model or from the cache, is a row of the database."""
        loads = [
            load for name, turns in self._loads.items() if name.startswith(("service", "cached")) for load in turns
        ]
        answered = checked + sum(load.answered for load in (*loads, *self._filling))
        stored = self._bench.stored()
        if stored != answered:
            raise click.ClickException(f"the service answered {answered} texts and stored {stored}")
        return {"answered": answered, "stored": stored}

    def _figures(self, peers: Sequence[str]) -> dict[str, Any]:
        rates = {name: median(load.rate for load in loads) for name, loads in self._loads.items()}
        raw = {name: median(values) for name, values in self._raw.items()}
        figures: dict[str, Any] = {name: round(median(values), 3) for name, values in self._paired.items()}
        if peers:
            figures["serve_vs_best_peer"] = round(rates[MAIN] / max(rates[name] for name in peers), 3)
        cached = self._loads["cached"]
        return figures | {
            "cached_vs_bare": round(rates["cached"] / rates["bare"], 3),
            "cached_hit_share": round(sum(each.cache_hits for each in cached) / sum(e.answered for e in cached), 4),
            "mean_tokens": round(mean(self._lengths), 2),
            "raw_rate": round(raw["rate"], 2),
            "raw_single_ms": round(raw["single_ms"], 3),
            "rates": {name: round(rate, 2) for name, rate in rates.items()},
            "latency_ms": {
                name: {key: round(median(getattr(load, f"{key}_ms") for load in loads), 3) for key in _PERCENTILES}
                for name, loads in self._loads.items()
            },
            "rounds": {"raw": [round(rate, 2) for rate in self._raw["rate"]]}
            | {f"{MAIN}, tokens": [load.token_rate for load in self._loads[MAIN]]}
            | {name: [round(value, 3) for value in values] for name, values in self._paired.items()}
            | {name: [load.rate for load in loads] for name, loads in self._loads.items()},
        }


_PERCENTILES = ("p50", "p95", "p99")


def _picture(figures: dict[str, Any]) -> Figure:
    unique = {name: rate for name, rate in figures["rates"].items() if name not in ("cached", "bare")}
    title = f"Unique texts of {figures['mean_tokens']:.0f} tokens on {figures['model']}: median rate"
    return bars(title, "texts a second", {"raw session": figures["raw_rate"]} | unique)
