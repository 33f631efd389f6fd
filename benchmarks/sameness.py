"""Whether a text's scores are the same to the last bit whatever is computed beside it, and wherever they come from."""

import random
import threading
from collections import defaultdict
from collections.abc import Sequence

import click
import numpy as np
from tqdm import tqdm

from benchmarks.artifacts import random_artifact
from benchmarks.load import FIRST_SERIAL
from benchmarks.texts import numbered, sentences, token_ids
from benchmarks.workbench import workbench
from finbert_api.inference.artifact import Artifact
from finbert_api.inference.session import ModelSession
from finbert_api.inference.tokenizer import TextTokenizer
from finbert_api.modelling.parity import HARD_TEXTS
from finbert_api.settings import available_cpus

SESSION_TEXTS = 64
BATCH_SIZES = (2, 7, 32)
ASKED_TEXTS = 12
MOST_ASKED = 400  # times for one text, until two workers have computed it and one has it from its cache
WORKERS = 2
BACKGROUND_CLIENTS = 8
_SEED = 5


def session_difference(model: str) -> dict[str, float]:
    """The largest difference between a text's logits alone and in batches, fp32 and int8, by what is beside it."""
    differences: dict[str, float] = {}
    for precision in ("fp32", "int8"):
        artifact = random_artifact(model, precision)
        tokens = _token_ids(artifact)
        for threads in sorted({1, available_cpus()}):
            session = ModelSession(artifact.model_path, threads)
            alone = np.concatenate([session.run([ids]) for ids in tqdm(tokens, desc=f"{precision}, each text alone")])
            for size in BATCH_SIZES:
                name = f"{precision}, {threads} threads, in batches of {size}"
                differences[name] = _largest(alone, _in_batches(session, tokens, size))
            again = ModelSession(artifact.model_path, threads)
            name = f"{precision}, {threads} threads, another session"
            differences[name] = _largest(alone, np.concatenate([again.run([ids]) for ids in tokens]))
    return differences


def worker_difference(model: str, seconds: float) -> dict[str, float]:
    """The largest difference between the scores that two workers of the service answer, computed and from the cache.

    Every text is asked for on new connections, in the middle of other clients' texts, until both workers have computed
    it and one has answered from its cache. Scores have four decimals there.
    """
    texts = [numbered(sentence, FIRST_SERIAL) for sentence in sentences()[:ASKED_TEXTS]]
    answers: dict[str, list[list[float]]] = defaultdict(list)
    with workbench(model) as bench, bench.service(WEB_CONCURRENCY=str(WORKERS)) as server:
        others = threading.Thread(
            target=bench.load, args=[server], kwargs={"clients": BACKGROUND_CLIENTS, "warm_up": 0, "seconds": seconds}
        )
        others.start()
        for text in tqdm(texts, desc="each text from both workers and their caches"):
            computed = cached = 0
            for _ in range(MOST_ASKED):
                document, headers = server.exchange(text)
                cached += headers.get("X-Cache") == "hit"
                computed += headers.get("X-Cache") != "hit"
                answers[text].append([document["scores"][label] for label in sorted(document["scores"])])
                if computed >= WORKERS and cached:
                    break
            else:
                raise click.ClickException(f"one of {WORKERS} workers never computed a text, or no cache knew it")
        others.join()
    return {
        "answers of both workers, computed and cached": max(
            _largest(np.array(each[:1]), np.array(each)) for each in answers.values()
        )
    }


def _token_ids(artifact: Artifact) -> list[list[int]]:
    """Texts of very different lengths, the hard ones of the gate and one that fills the model among them."""
    tokenizer = TextTokenizer(artifact.tokenizer_path, artifact.manifest.max_tokens)
    chosen = sentences()
    tokens = token_ids(tokenizer, chosen[:SESSION_TEXTS])
    return [*tokens, *(tokenizer.tokenize(text).ids for text in (*HARD_TEXTS, " ".join(chosen)))]


def _in_batches(session: ModelSession, tokens: Sequence[Sequence[int]], size: int) -> np.ndarray:
    """Logits of all texts, each in a batch with others that stand beside it by chance."""
    order = list(range(len(tokens)))
    random.Random(_SEED + size).shuffle(order)  # noqa: S311 - an order, no secrets
    logits: dict[int, np.ndarray] = {}
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        logits.update(zip(rows, session.run([tokens[row] for row in rows]), strict=True))
    return np.stack([logits[row] for row in range(len(tokens))])


def _largest(one: np.ndarray, other: np.ndarray) -> float:
    """The largest absolute difference; 0 only when all are equal to the last bit."""
    return float(np.abs(one.astype(np.float64) - other.astype(np.float64)).max())
