"""What each precision costs and keeps: speed, size, agreement with PyTorch, and the same scores whatever is beside.

Speed and size are those of random weights in the model's shape. Agreement needs a trained model: a checkpoint, or else
what the gate measured when the bundled model was published.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
import torch
from matplotlib.figure import Figure
from tqdm import tqdm

from benchmarks.artifacts import (
    dynamic_graph,
    export_plain,
    fuse,
    fused_graph,
    plain_graph,
    quantise_dynamically,
    random_artifact,
    random_checkpoint,
)
from benchmarks.options import model_option, results_option, seconds_option
from benchmarks.raw import divisions, feeds, raw_pool, raw_session
from benchmarks.report import keep, machine
from benchmarks.sameness import session_difference, worker_difference
from benchmarks.shapes import random_batch
from finbert_api.domain.errors import FinbertError
from finbert_api.inference.artifact import read_artifact
from finbert_api.inference.batching import batches_by_length
from finbert_api.inference.tokenizer import TextTokenizer
from finbert_api.modelling import parity
from finbert_api.modelling.checkpoint import Checkpoint, load_checkpoint
from finbert_api.modelling.publish import export_artifact
from finbert_api.modelling.scoring import BATCH_TOKENS
from finbert_api.settings import BUNDLED_MODEL, available_cpus

PYTORCH, PLAIN, FUSED, FP32, DYNAMIC, INT8 = (
    "PyTorch fp32",
    "ONNX fp32, as exported",
    "ONNX fp32, fused by ONNX Runtime",
    "ONNX fp32, our graph",
    "dynamic int8",
    "per-token int8",
)
FP32_GRAPHS = (PLAIN, FUSED, FP32)
COMPARED = "32x32"
LEAST_SECONDS = 0.1  # of one turn: short runs are repeated
MOST_SECONDS = 1.5  # of a turn that gives a rate


@click.command()
@model_option
@click.option(
    "--shapes", default="1x16,1x32,32x32,1x128,8x128", show_default=True, help="Texts x tokens; 32x32 always."
)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Turns of each.")
@click.option(
    "--checkpoint",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A trained PyTorch checkpoint to measure agreement on, instead of what the bundled model's manifest records.",
)
@seconds_option
@results_option
def precision(*, model: str, shapes: str, rounds: int, checkpoint: Path | None, seconds: float, results: Path) -> None:
    """Compare PyTorch, ONNX fp32, dynamic int8 and per-token int8.

    The last line is one JSON object: int8_vs_fp32 (per-token int8's rate over the fastest fp32 graph's at 32 x 32
    tokens, each in the division of the processors that suits it), int8_vs_fused_fp32 (the same over the graph that ONNX
    Runtime fused), score_difference (the largest difference that a text's logits or answered scores show alone, among
    others, from the cache, from another worker), and what they were computed from.
    """
    sizes = {name: _size(name) for name in dict.fromkeys([*shapes.split(","), COMPARED])}
    try:
        graphs = _graphs(model)
        milliseconds = _speed(model, graphs, sizes, rounds)
        rates = _rates(graphs, rounds, min(MOST_SECONDS, seconds))
        differences = session_difference(model) | worker_difference(model, seconds)
        agreement = _agreement(load_checkpoint(str(checkpoint))) if checkpoint else _recorded_agreement()
    except FinbertError as error:
        raise click.ClickException(str(error)) from error
    best = {name: max(by_division.values(), key=median) for name, by_division in rates.items()}
    fastest = max((best[name] for name in FP32_GRAPHS), key=median)
    figures = {
        "int8_vs_fp32": _ratio(best[INT8], fastest),
        "int8_vs_fused_fp32": _ratio(best[INT8], best[FUSED]),
        "score_difference": max(differences.values()),
        "differences": differences,
        "ms_per_text": milliseconds,
        "rates": rates,
        "megabytes": {name: round(path.stat().st_size / 1e6, 1) for name, path in graphs.items()},
        "agreement": agreement,
        "model": model,
        "machine": machine(available_cpus()),
    }
    _print(milliseconds, sizes, rates)
    keep("precision", figures, _picture(milliseconds, model), results)


def _size(name: str) -> tuple[int, int]:
    texts, _, tokens = name.partition("x")
    if not (texts.isdigit() and tokens.isdigit()):
        raise click.BadParameter(f"{name!r} is no shape such as 32x32")
    return int(texts), int(tokens)


def _graphs(model: str) -> dict[str, Path]:
    return {
        PLAIN: plain_graph(model),
        FUSED: fused_graph(model),
        FP32: random_artifact(model, "fp32").model_path,
        DYNAMIC: dynamic_graph(model),
        INT8: random_artifact(model, "int8").model_path,
    }


def _speed(
    model: str, graphs: Mapping[str, Path], sizes: Mapping[str, tuple[int, int]], rounds: int
) -> dict[str, dict[str, float]]:
    """Medians in milliseconds for each text, by precision and shape; all of them take turns."""
    classifier = random_checkpoint(model).model
    torch.set_num_threads(available_cpus())
    sessions = {name: raw_session(str(path), available_cpus()) for name, path in graphs.items()}
    samples: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number in tqdm(range(-1, rounds), desc="rounds"):
        for shape, (texts, tokens) in sizes.items():
            batch = random_batch(texts, tokens)
            runs: dict[str, Callable[[], object]] = {PYTORCH: partial(_run_pytorch, classifier, torch.tensor(batch))}
            runs |= {name: partial(session.run, None, feeds(session, batch)) for name, session in sessions.items()}
            for name, run in runs.items():
                seconds = _turn(run)
                if number >= 0:
                    samples[name, shape].append(seconds)
    return {
        name: {shape: round(median(samples[name, shape]) * 1_000 / texts, 3) for shape, (texts, _) in sizes.items()}
        for name in (PYTORCH, *graphs)
    }


def _rates(graphs: Mapping[str, Path], rounds: int, seconds: float) -> dict[str, dict[str, list[float]]]:
    """Texts a second of the compared shape, round by round, by graph and by processes x threads; all take turns."""
    texts, tokens = _size(COMPARED)
    rates: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in (*FP32_GRAPHS, INT8)}
    with ExitStack() as stack:
        pools = {
            (name, division): stack.enter_context(raw_pool(graphs[name], *division))
            for name in rates
            for division in divisions(available_cpus())
        }
        for _ in tqdm(range(rounds), desc="rounds of rates"):
            for (name, (processes, threads)), pool in pools.items():
                batches = random_batch(texts * processes, tokens)
                rate = pool.throughput(batches, texts * tokens, seconds)
                rates[name][f"{processes}x{threads}"].append(round(rate, 2))
    return rates


def _ratio(rates: Sequence[float], others: Sequence[float]) -> float:
    return round(median(rate / other for rate, other in zip(rates, others, strict=True)), 3)


def _run_pytorch(classifier: Any, ids: torch.Tensor) -> None:
    with torch.inference_mode():
        classifier(input_ids=ids, attention_mask=torch.ones_like(ids))


def _turn(run: Callable[[], object]) -> float:
    """The median of some runs, in seconds, after some that do not count: the threads before it still spin a while."""
    samples: list[float] = []
    for _ in range(2):
        samples.clear()
        while sum(samples) < LEAST_SECONDS:
            started = time.perf_counter()
            run()
            samples.append(time.perf_counter() - started)
    return median(samples)


def _recorded_agreement() -> dict[str, Any]:
    """What the gate found when the bundled model was published."""
    recorded = read_artifact(BUNDLED_MODEL).manifest.parity
    return {"of": "the bundled model, as its manifest records", FP32: recorded["fp32"], INT8: recorded["int8"]}


def _agreement(checkpoint: Checkpoint) -> dict[str, Any]:
    """Each precision against PyTorch on the gate's texts."""
    with TemporaryDirectory(prefix="finbert-benchmark-") as folder:
        place = Path(folder)
        artifact = export_artifact(checkpoint, place / "artifact", name="agreement", version="1", progress=tqdm)
        export_plain(checkpoint, place / "plain.onnx")
        fuse(checkpoint, place / "plain.onnx", place / "fused.onnx")
        quantise_dynamically(place / "fused.onnx", place / "dynamic.onnx")
        texts = parity.parity_texts()
        tokenizer = TextTokenizer(artifact.tokenizer_path, checkpoint.max_tokens)
        scores = _scores(place / "dynamic.onnx", [tokenizer.tokenize(text).ids for text in texts])
        dynamic = parity.compare("dynamic int8", scores, checkpoint.scores(texts, tqdm))
        recorded = artifact.manifest.parity
    return {"of": checkpoint.name, FP32: recorded["fp32"], DYNAMIC: asdict(dynamic), INT8: recorded["int8"]}


def _scores(graph: Path, tokens: Sequence[Sequence[int]]) -> np.ndarray:
    session = raw_session(str(graph), available_cpus())
    scores = np.empty((len(tokens), 3))
    for rows in tqdm(batches_by_length(tokens, BATCH_TOKENS), desc=f"{graph.stem} scores"):
        logits = session.run(None, feeds(session, [tokens[row] for row in rows]))[0]
        scores[rows] = torch.softmax(torch.tensor(logits, dtype=torch.float64), dim=-1).numpy()
    return scores


def _print(
    milliseconds: Mapping[str, Mapping[str, float]],
    sizes: Mapping[str, tuple[int, int]],
    rates: Mapping[str, Mapping[str, Sequence[float]]],
) -> None:
    print(f"{'ms for each text':<36}" + "".join(f"{shape:>10}" for shape in sizes))
    for name, by_shape in milliseconds.items():
        print(f"{name:<36}" + "".join(f"{by_shape[shape]:>10.2f}" for shape in sizes))
    print(f"texts a second, {COMPARED}")
    for name, by_division in rates.items():
        medians = (f"{median(each):.1f} ({division})" for division, each in by_division.items())
        print(f"{name:<36}" + "".join(f"{figure:>14}" for figure in medians))


def _picture(milliseconds: Mapping[str, Mapping[str, float]], model: str) -> Figure:
    picture = Figure(figsize=(11, 5), layout="constrained")
    axes = picture.subplots()
    width = 0.8 / len(milliseconds)
    for index, (name, by_shape) in enumerate(milliseconds.items()):
        axes.bar([place + index * width for place in range(len(by_shape))], list(by_shape.values()), width, label=name)
    shapes = list(next(iter(milliseconds.values())))
    axes.set_xticks([place + 0.4 - width / 2 for place in range(len(shapes))], shapes)
    axes.set(title=f"Time for each text, {model}", xlabel="texts x tokens", ylabel="ms, logarithmic", yscale="log")
    axes.legend()
    return picture
