"""Scores of many texts through an ONNX graph, as serving computes them; needs no PyTorch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from finbert_api.domain.progress import Progress, silent
from finbert_api.inference.session import ModelSession
from finbert_api.inference.tokenizer import TextTokenizer

BATCH_TOKENS = 2048


def onnx_scores(
    model: Path, tokenizer: TextTokenizer, texts: Sequence[str], progress: Progress = silent, desc: str | None = None
) -> np.ndarray:
    """Scores after softmax, float64 [texts, labels], through the tokenizer and session that serving uses.

    They are the graph's, whatever processor this is: one without VNNI would serve another graph than that of 8 bits.
    """
    session = ModelSession(model, intra_op_threads=0, exact_sums=True)
    tokens = [tokenizer.tokenize(text).ids for text in texts]
    batches = batches_by_length(tokens)
    scores: dict[int, np.ndarray] = {}
    for rows in progress(batches, total=len(batches), desc=desc):
        logits = session.run([tokens[row] for row in rows]).astype(np.float64)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores.update(zip(rows, exponentials / exponentials.sum(axis=1, keepdims=True), strict=True))
    return np.stack([scores[row] for row in range(len(texts))])


def batches_by_length(tokens: Sequence[Sequence[int]], batch_tokens: int = BATCH_TOKENS) -> list[list[int]]:
    """Positions of the texts, similar lengths together, so many a batch that its padded size is within the limit.

    A text that alone is longer than the limit makes a batch of its own.
    """
    batches: list[list[int]] = []
    for row in sorted(range(len(tokens)), key=lambda row: len(tokens[row])):
        # Sorted by length, so that this row sets the padded length of the batch it joins.
        if batches and (len(batches[-1]) + 1) * len(tokens[row]) <= batch_tokens:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches
