"""The raw session: ONNX Runtime on ready-made token ids and nothing else, the bar for everything around it.

`python -m benchmarks.raw GRAPH THREADS SPINNING` holds one session in a process of its own and runs a job for each line
of standard input.
"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
from tqdm import tqdm

from finbert_api.inference.batching import batches_by_length
from finbert_api.inference.session import padded
from finbert_api.settings import PROJECT_ROOT

_SEED = 3
_WARM_UP_RUNS = 2
_SPIN_TURNS = 9

Batch = Sequence[Sequence[int]]


def raw_session(
    graph: bytes | str, threads: int, *, spinning: bool = True, profile: Path | None = None
) -> onnxruntime.InferenceSession:
    """A session with ONNX Runtime's defaults, by which its threads spin while they wait for each other."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
    options.log_severity_level = 3
    if profile:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    return onnxruntime.InferenceSession(graph, sess_options=options, providers=["CPUExecutionProvider"])


def feeds(session: onnxruntime.InferenceSession, batch: Batch) -> dict[str, np.ndarray]:
    """A batch of token ids as the session's graph takes it; graphs that are not ours want token types too."""
    inputs = padded(batch)
    missing = {each.name for each in session.get_inputs()} - inputs.keys()
    return inputs | {name: np.zeros_like(inputs["input_ids"]) for name in missing}


@dataclass(frozen=True, slots=True)
class Layout:
    """So many processes of so many threads each, with batches of so many tokens."""

    processes: int
    threads: int
    batch_tokens: int

    def __str__(self) -> str:
        return f"{self.processes}x{self.threads}, {self.batch_tokens} tokens"


class RawPool:
    """Raw sessions in processes of their own."""

    def __init__(self, processes: Sequence[subprocess.Popen[str]]) -> None:
        self._processes = processes

    def throughput(self, texts: Batch, batch_tokens: int, seconds: float) -> float:
        """Texts a second of all processes together, on batches of similar lengths.

        Counted in tokens and divided by the mean length of the texts: the time ends anywhere among the batches.
        """
        parts = [texts[index :: len(self._processes)] for index in range(len(self._processes))]
        answers = self._run([_job(part, batch_tokens, seconds) for part in parts])
        mean_tokens = sum(map(len, texts)) / len(texts)
        return float(sum(answer["tokens"] / answer["seconds"] for answer in answers)) / mean_tokens

    def single_ms(self, texts: Batch, seconds: float) -> float:
        """The median time of one text alone, on the first process."""
        job = {"batches": [[text] for text in texts], "seconds": seconds}
        return float(self._run([job])[0]["median_ms"])

    def _run(self, jobs: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
        for process, job in zip(self._processes, jobs, strict=False):
            assert process.stdin
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
        answers = []
        for process, _ in zip(self._processes, jobs, strict=False):
            assert process.stdout
            answers.append(json.loads(process.stdout.readline()))
        return answers


def divisions(processors: int) -> list[tuple[int, int]]:
    """Processes x threads that use all processors: one with a thread for each, and one of one thread for each."""
    return [(processes, processors // processes) for processes in sorted({1, processors})]


@contextmanager
def raw_pool(graph: Path, processes: int, threads: int, *, spinning: bool = True) -> Iterator[RawPool]:
    """That many raw sessions on a graph, loaded."""
    command = [sys.executable, "-m", "benchmarks.raw", str(graph), str(threads), str(int(spinning))]
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(command, cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(processes)
        ]
        for process in started:
            assert process.stdout
            process.stdout.readline()
        yield RawPool(started)  # leaving the processes' own contexts closes their input, which ends them


def best_layout(
    graph: Path, texts: Batch, processors: int, budgets: Sequence[int], seconds: float
) -> tuple[Layout, dict[str, float]]:
    """The fastest layout for these texts, and the texts a second of each that was tried.

    Tried are the divisions of the processors, with each budget of tokens for a batch.
    """
    tried: dict[Layout, float] = {}
    for processes, threads in divisions(processors):
        with raw_pool(graph, processes, threads) as pool:
            for budget in tqdm(budgets, desc=f"raw session, {processes} x {threads} threads"):
                layout = Layout(processes, threads, budget)
                tried[layout] = pool.throughput(texts, budget, seconds)
    return max(tried, key=lambda layout: tried[layout]), {str(each): round(rate, 2) for each, rate in tried.items()}


def spins_for_singles(graph: Path, texts: Batch, processors: int, seconds: float) -> bool:
    """Whether one text alone on all processors is scored sooner by threads that spin, both tried in turns."""
    with (
        raw_pool(graph, 1, processors, spinning=True) as spinning,
        raw_pool(graph, 1, processors, spinning=False) as sleeping,
    ):
        turns = [
            spinning.single_ms(texts, seconds) - sleeping.single_ms(texts, seconds)
            for _ in tqdm(range(_SPIN_TURNS), desc="raw session, threads that spin or sleep")
        ]
    return median(turns) <= 0


def _job(texts: Batch, batch_tokens: int, seconds: float) -> dict[str, Any]:
    """The texts in batches of similar lengths, in an order that mixes the lengths."""
    batches = [[texts[row] for row in rows] for rows in batches_by_length(texts, batch_tokens)]
    random.Random(_SEED).shuffle(batches)  # noqa: S311 - an order, no secrets
    return {"batches": batches, "seconds": seconds}


def _run_job(session: onnxruntime.InferenceSession, batches: Sequence[Batch], seconds: float) -> dict[str, float]:
    ready = [(sum(map(len, batch)), feeds(session, batch)) for batch in batches]
    for _, batch in ready[:_WARM_UP_RUNS]:
        session.run(None, batch)
    tokens, samples = 0, []
    begun = before = time.perf_counter()
    number = 0
    while before < begun + seconds:
        count, batch = ready[number % len(ready)]
        session.run(None, batch)
        now = time.perf_counter()
        samples.append(now - before)
        before = now
        tokens += count
        number += 1
    return {"tokens": tokens, "seconds": before - begun, "median_ms": median(samples) * 1_000}


def main(graph: str, threads: str, spinning: str) -> None:
    """Answers each job on standard input."""
    session = raw_session(graph, int(threads), spinning=spinning == "1")
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps(_run_job(session, job["batches"], job["seconds"])), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
