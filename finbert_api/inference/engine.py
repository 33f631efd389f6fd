"""The engine: texts in, sentiments out."""

import threading
import time
from dataclasses import dataclass
from typing import Protocol

from finbert_api.domain.errors import ModelUnavailable
from finbert_api.domain.sentiment import Sentiment, sentiment_of
from finbert_api.inference.artifact import Manifest
from finbert_api.inference.session import ModelSession
from finbert_api.inference.tokenizer import TextTokenizer


@dataclass(frozen=True, slots=True)
class Scored:
    """A text's sentiment, the model that gave it, what was read of the text, and the seconds it waited and ran."""

    sentiment: Sentiment
    model_version: str
    token_count: int
    truncated: bool
    queue_seconds: float
    inference_seconds: float


class Engine(Protocol):
    """What a prediction needs from a model."""

    @property
    def model_version(self) -> str | None:
        """The version that scores, None when none is loaded."""

    def score(self, text: str) -> Scored:
        """The sentiment of a text. Raises ModelUnavailable when no model is loaded."""


class SessionEngine:
    """Scores one text at a time on one session; further callers wait for their turn."""

    def __init__(self, manifest: Manifest, tokenizer: TextTokenizer, session: ModelSession) -> None:
        self._manifest = manifest
        self._tokenizer = tokenizer
        self._session = session
        # The session has as many threads as this worker has processors: a second run beside the first would only
        # slow both.
        self._turn = threading.Lock()

    @property
    def model_version(self) -> str:
        """The artifact's version."""
        return self._manifest.model_version

    def score(self, text: str) -> Scored:
        """The sentiment of a text, cut at the model's own limit."""
        arrived = time.perf_counter()
        tokens = self._tokenizer.tokenize(text)
        with self._turn:
            started = time.perf_counter()
            logits = self._session.run([tokens.ids])[0]
            finished = time.perf_counter()
        return Scored(
            sentiment=sentiment_of(logits.tolist(), self._manifest.labels),
            model_version=self._manifest.model_version,
            token_count=len(tokens),
            truncated=tokens.truncated,
            queue_seconds=started - arrived,
            inference_seconds=finished - started,
        )


class UnavailableEngine:
    """Stands where a model could not be loaded: the process lives, is never ready, and predicts nothing."""

    model_version = None

    def score(self, text: str) -> Scored:
        """Raises ModelUnavailable, always."""
        raise ModelUnavailable("No verified model is loaded")
