"""The golden texts: proof, on the very host that serves, that the graph computes what PyTorch computed."""

import numpy as np

from finbert_api.domain.errors import ArtifactError
from finbert_api.domain.sentiment import softmax
from finbert_api.inference.artifact import GoldenText, Manifest
from finbert_api.inference.batching import EngineLimits, batches_by_length
from finbert_api.inference.session import Session
from finbert_api.inference.tokenizer import TextTokenizer


def verify_golden_texts(
    manifest: Manifest,
    tokenizer: TextTokenizer,
    session: Session,
    max_batch_tokens: int = EngineLimits().max_batch_tokens,
) -> None:
    """Raises ArtifactError unless every golden text scores within the manifest's tolerance of its published scores.

    That catches what digests cannot: labels in another order, and a processor that computes the int8 products wrongly
    (8-bit products that saturate in 16 bits without VNNI). They run as texts do in service: in batches, and one alone,
    which may take another way through the session.
    """
    tokens = [tokenizer.tokenize(golden.text).ids for golden in manifest.golden_texts]
    for rows in [*batches_by_length(tokens, max_batch_tokens), [0]]:
        for row, logits in zip(rows, session.run([tokens[row] for row in rows]), strict=True):
            _verify(manifest, manifest.golden_texts[row], logits)


def _verify(manifest: Manifest, golden: GoldenText, logits: np.ndarray) -> None:
    if len(logits) != len(manifest.labels):
        raise ArtifactError(f"the graph gives {len(logits)} logits, the manifest names {len(manifest.labels)}")
    scores = dict(zip(manifest.labels, softmax(logits.tolist()), strict=True))
    for label, published in golden.scores.items():
        difference = abs(scores[label] - published)
        # Written so that a NaN fails too.
        if not difference <= manifest.golden_tolerance:
            raise ArtifactError(
                f"golden text {golden.text!r} scores {label} {scores[label]:.4f} on this host, published "
                f"{published:.4f}, tolerance {manifest.golden_tolerance}: wrong label order, wrong weights, or a "
                "processor that computes this graph wrongly"
            )
