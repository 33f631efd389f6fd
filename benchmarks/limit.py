"""How near a session comes to what the processor can do, and where the rest of its time goes.

The limit is the rate of ONNX Runtime's own matrix product over the shapes of the artifact's layers, the best of them;
the session's share is the rate of the same products over the time of its whole run.
"""

import json
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
from matplotlib.figure import Figure
from onnx import TensorProto, helper, numpy_helper
from tqdm import tqdm

from benchmarks.options import model_option, results_option
from benchmarks.raw import Batch, feeds, raw_session
from benchmarks.report import keep, machine
from benchmarks.served import served_artifact
from benchmarks.shapes import SHAPES, Shape, random_batch
from finbert_api.settings import available_cpus

LARGE_ROWS = (1_024, 4_096)
SHARES_SHOWN = 12


@click.command()
@model_option
@click.option("--batches", default="32x32,1x32", show_default=True, help="Texts x tokens, separated by commas.")
@click.option("--rounds", type=click.IntRange(1), default=40, show_default=True, help="Runs of each measurement.")
@results_option
def limit(model: str, batches: str, rounds: int, results: Path) -> None:
    """Compare the raw session with the processor's matrix-product limit, and profile it by operator."""
    shape = SHAPES[model]
    threads = available_cpus()
    products = {kind: _best_product(shape, kind, threads, rounds) for kind in ("fp32", "int8")}
    figures: dict[str, Any] = {
        "model": model,
        "threads": threads,
        "limit_gflops": products,
        "batches": {},
        "machine": machine(threads),
    }
    path = served_artifact(model).model_path
    for name in batches.split(","):
        texts, tokens = map(int, name.split("x"))
        batch = random_batch(texts, tokens)
        seconds = _timed(path, batch, threads, rounds)
        gflops = shape.flop(texts, tokens) / seconds / 1e9
        shares = _profile(path, batch, threads, max(3, rounds // 4))
        figures["batches"][name] = {
            "ms": round(seconds * 1_000, 3),
            "ms_per_text": round(seconds * 1_000 / texts, 3),
            "gflops": round(gflops, 1),
            "share_of_limit": round(gflops / products["int8"], 3),
            "operators": shares,
        }
        print(f"\n{name}: {seconds * 1_000 / texts:.2f} ms per text, {gflops / products['int8']:.0%} of the int8 limit")
        print(f"{'operator':<32}{'nodes':>6}{'ms':>9}{'share':>8}")
        for operator in shares:
            print(f"{operator['name']:<32}{operator['nodes']:>6}{operator['ms']:>9.3f}{operator['share']:>8.1%}")
    keep("limit", figures, _picture(figures), results)


def _best_product(shape: Shape, kind: str, threads: int, rounds: int) -> float:
    """GFLOP/s of the fastest of the layers' products over many rows."""
    sizes = [(shape.hidden, shape.hidden), (shape.hidden, shape.inner), (shape.inner, shape.hidden)]
    best = 0.0
    for rows in tqdm(LARGE_ROWS, desc=f"matrix products in {kind}"):
        for inputs, outputs in sizes:
            session, batch = _product(kind, rows, inputs, outputs, threads)
            seconds = _median_seconds(partial(session.run, None, batch), rounds)
            best = max(best, 2 * rows * inputs * outputs / seconds / 1e9)
    return round(best, 1)


def _product(kind: str, rows: int, inputs: int, outputs: int, threads: int) -> tuple[Any, dict[str, np.ndarray]]:
    generator = np.random.default_rng(0)
    if kind == "int8":
        weight: np.ndarray = generator.integers(-127, 128, (inputs, outputs), dtype=np.int8)
        values: np.ndarray = generator.integers(0, 256, (rows, inputs), dtype=np.uint8)
        node = helper.make_node("MatMulInteger", ["values", "weight"], ["products"])
        types = (TensorProto.UINT8, TensorProto.INT32)
    else:
        weight = generator.standard_normal((inputs, outputs), dtype=np.float32)
        values = generator.standard_normal((rows, inputs), dtype=np.float32)
        node = helper.make_node("MatMul", ["values", "weight"], ["products"])
        types = (TensorProto.FLOAT, TensorProto.FLOAT)
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("values", types[0], [rows, inputs])],
        [helper.make_tensor_value_info("products", types[1], [rows, outputs])],
        [numpy_helper.from_array(weight, "weight")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return raw_session(made.SerializeToString(), threads), {"values": values}


def _median_seconds(call: Callable[[], object], rounds: int) -> float:
    samples = []
    for number in range(-max(2, rounds // 8), rounds):
        started = time.perf_counter()
        call()
        if number >= 0:
            samples.append(time.perf_counter() - started)
    return median(samples)


def _timed(path: Path, batch: Batch, threads: int, rounds: int) -> float:
    session = raw_session(str(path), threads)
    return _median_seconds(partial(session.run, None, feeds(session, batch)), rounds)


def _profile(path: Path, batch: Batch, threads: int, rounds: int) -> list[dict[str, Any]]:
    """Milliseconds of one run by operator, largest first, from ONNX Runtime's own profile.

    "between operators" is what the run took beyond its operators: their dispatch, and the profile itself.
    """
    with TemporaryDirectory(prefix="finbert-benchmark-") as folder:
        session = raw_session(str(path), threads, profile=Path(folder) / "profile")
        inputs = feeds(session, batch)
        warm_up = 2
        for _ in range(warm_up + rounds):
            session.run(None, inputs)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    runs = [event for event in events if event["name"] == "model_run"][warm_up:]
    started = runs[0]["ts"]
    microseconds: Counter[str] = Counter()
    nodes: dict[str, set[str]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time") and event["ts"] >= started:
            operator = event["args"]["op_name"]
            microseconds[operator] += event["dur"]
            nodes.setdefault(operator, set()).add(event["name"])
    whole = sum(event["dur"] for event in runs)
    microseconds["between operators"] = whole - sum(microseconds.values())
    return [
        {
            "name": operator,
            "nodes": len(nodes.get(operator, ())),
            "ms": round(spent / len(runs) / 1_000, 4),
            "share": round(spent / whole, 4),
        }
        for operator, spent in microseconds.most_common()
    ]


def _picture(figures: dict[str, Any]) -> Figure:
    picture = Figure(figsize=(11, 5), layout="constrained")
    all_axes = picture.subplots(1, len(figures["batches"]), squeeze=False)[0]
    for axes, (name, batch) in zip(all_axes, figures["batches"].items(), strict=True):
        shown = batch["operators"][:SHARES_SHOWN]
        axes.barh([operator["name"] for operator in shown], [operator["share"] * 100 for operator in shown])
        axes.invert_yaxis()
        axes.set(title=f"{name}: {batch['share_of_limit']:.0%} of the int8 limit", xlabel="% of the run's time")
    picture.suptitle(f"Where a run of {figures['model']} goes, {figures['threads']} threads")
    return picture
