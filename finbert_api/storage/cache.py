"""Scores that were computed before, by a digest of what decides them; never the text itself."""

import hashlib
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cachetools import TTLCache

from finbert_api.domain.sentiment import FOUR_DECIMALS, Label, Sentiment

# The label's place in Label, the score of each label in ten-thousandths, the tokens read, whether there were more:
# exactly what is stored and served, in less than half of the memory that the objects would take.
_PACKED = struct.Struct(">B3HI?")
_LABELS = tuple(Label)


@dataclass(frozen=True, slots=True)
class CachedScores:
    """What a model says of a text, and how much of the text it read."""

    sentiment: Sentiment
    token_count: int
    truncated: bool


class ScoreCache(Protocol):
    """Where scores wait for the same text. No method ever raises: at worst a text is scored again."""

    def get(self, key: bytes) -> CachedScores | None:
        """The scores under a key of `cache_key`, None when there are none (any more)."""

    def put(self, key: bytes, scores: CachedScores) -> None:
        """Keeps scores for the time to live."""

    def remove(self, key: bytes) -> None:
        """Forgets the scores under a key, if there are any."""


class NoCache:
    """Keeps nothing."""

    def get(self, key: bytes) -> None:
        """None."""

    def put(self, key: bytes, scores: CachedScores) -> None:
        """Forgets them at once."""

    def remove(self, key: bytes) -> None:
        """Nothing is there to forget."""


class LocalCache:
    """Keeps the scores of the texts that were asked for last in this process; safe in many threads."""

    def __init__(self, entries: int, ttl_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._packed: TTLCache[bytes, bytes] = TTLCache(maxsize=entries, ttl=ttl_seconds, timer=clock)
        self._lock = threading.Lock()

    def get(self, key: bytes) -> CachedScores | None:
        """The scores under a key, None when they are too old or had to make room."""
        with self._lock:
            packed = self._packed.get(key)
        return unpack(packed) if packed else None

    def put(self, key: bytes, scores: CachedScores) -> None:
        """Keeps scores; those that were not asked for longest make room."""
        packed = pack(scores)
        with self._lock:
            self._packed[key] = packed

    def remove(self, key: bytes) -> None:
        """Forgets the scores under a key in this process."""
        with self._lock:
            self._packed.pop(key, None)


def cache_key(identity: str, text: str) -> bytes:
    """sha256 over what decides a text's scores: the identity of model and tokenizer, and the text as it is tokenised.

    An identity has a fixed length (64 hexadecimal digits), so that no two pairs run into the same bytes.
    """
    return hashlib.sha256(f"{identity}{text}".encode()).digest()


def pack(scores: CachedScores) -> bytes:
    """Scores in twelve bytes."""
    sentiment = scores.sentiment
    ten_thousandths = (int(sentiment.scores[label] / FOUR_DECIMALS) for label in _LABELS)
    return _PACKED.pack(_LABELS.index(sentiment.label), *ten_thousandths, scores.token_count, scores.truncated)


def unpack(packed: bytes) -> CachedScores | None:
    """What `pack` was given, to the last digit; None when the bytes are none of its."""
    try:
        label, positive, negative, neutral, token_count, truncated = _PACKED.unpack(packed)
        scores = {
            Label.POSITIVE: positive * FOUR_DECIMALS,
            Label.NEGATIVE: negative * FOUR_DECIMALS,
            Label.NEUTRAL: neutral * FOUR_DECIMALS,
        }
        return CachedScores(Sentiment(_LABELS[label], scores), token_count, truncated)
    except (struct.error, IndexError):
        return None
