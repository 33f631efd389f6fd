"""What both peers serve: texts to scores through this project's tokenizer and session, as one call for a batch."""

import os
from pathlib import Path

from finbert_api.domain.sentiment import softmax
from finbert_api.inference.artifact import read_artifact
from finbert_api.inference.session import ModelSession
from finbert_api.inference.tokenizer import TextTokenizer

MAX_BATCH_SIZE = 32


class Scorer:
    """The artifact in PEER_ARTIFACT on PEER_THREADS threads."""

    def __init__(self) -> None:
        artifact = read_artifact(Path(os.environ["PEER_ARTIFACT"]))
        self._labels = artifact.manifest.labels
        self._tokenizer = TextTokenizer(artifact.tokenizer_path, artifact.manifest.max_tokens)
        self._session = ModelSession(artifact.model_path, int(os.environ["PEER_THREADS"]))

    def scores(self, texts: list[str]) -> list[dict[str, float]]:
        """Scores by label, of four decimals, for each text."""
        logits = self._session.run([self._tokenizer.tokenize(text).ids for text in texts])
        return [
            {label: round(score, 4) for label, score in zip(self._labels, softmax(row), strict=True)}
            for row in logits.tolist()
        ]
