"""Scores of many texts through an ONNX graph, as serving computes them; needs no PyTorch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from finbert_api.domain.progress import Progress, silent
from finbert_api.inference.batching import batches_by_length
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
    batches = batches_by_length(tokens, BATCH_TOKENS)
    scores: dict[int, np.ndarray] = {}
    for rows in progress(batches, total=len(batches), desc=desc):
        logits = session.run([tokens[row] for row in rows]).astype(np.float64)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores.update(zip(rows, exponentials / exponentials.sum(axis=1, keepdims=True), strict=True))
    return np.stack([scores[row] for row in range(len(texts))])
