"""One worker with a thread for each processor, or a worker for each: the service's layouts in turns."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from tqdm import tqdm

from benchmarks.load import Measured
from benchmarks.report import keep, machine, paired_bars
from benchmarks.workbench import Workbench
from finbert_api.settings import available_cpus


def compare_layouts(
    bench: Workbench, model: str, clients: Sequence[int], rounds: int, *, warm_up: float, seconds: float, results: Path
) -> None:
    """Keeps and prints, for WEB_CONCURRENCY 1 and the number of processors, rate and latencies by number of clients."""
    workers = (1, max(2, available_cpus()))
    loads: dict[tuple[int, int], list[Measured]] = defaultdict(list)
    with ExitStack() as stack:
        servers = {count: stack.enter_context(bench.service(WEB_CONCURRENCY=str(count))) for count in workers}
        for _ in tqdm(range(rounds), desc="rounds"):
            for count in clients:
                for layout, server in servers.items():
                    loads[layout, count].append(bench.load(server, clients=count, warm_up=warm_up, seconds=seconds))
    figures: dict[str, Any] = {"model": model, "machine": machine(available_cpus()), "layouts": {}}
    print(f"{'workers':>8}{'clients':>8}{'texts/s':>9}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}")
    for (layout, count), measured in loads.items():
        row = {
            name: round(median(getattr(each, name) for each in measured), 2)
            for name in ("rate", "p50_ms", "p95_ms", "p99_ms")
        }
        figures["layouts"].setdefault(f"{layout} workers", {})[f"{count} clients"] = row
        print(
            f"{layout:>8}{count:>8}{row['rate']:>9.1f}{row['p50_ms']:>9.1f}{row['p95_ms']:>9.1f}{row['p99_ms']:>9.1f}"
        )
    one, many = (figures["layouts"][f"{layout} workers"] for layout in workers)
    pairs = {name: (one[name]["rate"], many[name]["rate"]) for name in one}
    title = f"The service on {model}: median rate of unique texts"
    keep(
        "layouts", figures, paired_bars(title, "texts a second", pairs, ("1 worker", f"{workers[1]} workers")), results
    )
