"""Which waiting texts run together, and how fast the session works them off."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from finbert_api.domain.sentiment import Sentiment

# Before the first run: fewer tokens a second than a BERT-base in int8 does on two slow cores.
_FIRST_TOKENS_PER_SECOND = 1000.0
_FIRST_SECONDS = 0.1
_REMEMBERED = 0.9
# A client that asks again as soon as it has its answer is back in milliseconds, and a run of a few texts takes hardly
# less than one of twice as many: a good part of both is to read the weights.
_RETURN_SECONDS = 0.004
_SHARE_OF_RUN = 0.25


@dataclass(frozen=True, slots=True)
class Scored:
    """A text's sentiment, the model that gave it, what was read of the text, and the seconds it waited and ran."""

    sentiment: Sentiment
    model_version: str
    token_count: int
    truncated: bool
    queue_seconds: float
    inference_seconds: float


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """How much runs together and how much may wait.

    `max_batch_tokens` bounds rows x longest row of a batch, `max_queue_tokens` the tokens that wait: those of texts
    that came alone, and apart from them those of texts that came together.
    """

    max_batch_tokens: int = 512
    max_queue_tokens: int = 16_384


@dataclass(slots=True, eq=False)
class WaitingText:
    """A tokenised text in the queue, and the future on which its caller waits; times are those of time.monotonic().

    `then` is called with its scores before the future has them. Texts run in the order of their turns: that of one is
    its arrival, those `of_many` that came at once come one after the other.
    """

    ids: list[int]
    truncated: bool
    deadline: float
    arrived: float
    turn: float
    of_many: bool = False
    then: Callable[[Scored], None] | None = None
    future: Future[Scored] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A batch and what came of each of its texts: a row of logits, or None where the session failed."""

    batch: list[WaitingText]
    rows: list[np.ndarray | None]
    started: float
    finished: float


def next_batch(waiting: Sequence[WaitingText], max_batch_tokens: int) -> list[WaitingText]:
    """The first of the waiting texts and those nearest to it in length, as long as rows x longest fits the budget.

    So none starves, however unusual its length. The first is in it even when it alone is longer than the budget.
    `waiting` is in the order of turns; the batch is in that of lengths, since the graph pads groups of like lengths.
    """
    if not waiting:
        return []
    first = waiting[0]
    length = longest = len(first.ids)
    batch = [first]
    for text in sorted(waiting[1:], key=lambda text: abs(len(text.ids) - length)):
        padded = max(longest, len(text.ids))
        if padded * (len(batch) + 1) <= max_batch_tokens:
            batch.append(text)
            longest = padded
        elif longest * (len(batch) + 1) > max_batch_tokens:
            break
    return sorted(batch, key=lambda text: len(text.ids))


def batches_by_length(tokens: Sequence[Sequence[int]], batch_tokens: int) -> list[list[int]]:
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


def token_count(texts: Iterable[WaitingText]) -> int:
    """Tokens of all these texts together, padding not counted."""
    return sum(len(text.ids) for text in texts)


class TokenRate:
    """Tokens a second of the recent runs: a mean over their time in which each run counts 0.9 times its successor."""

    def __init__(self) -> None:
        self._tokens = _FIRST_TOKENS_PER_SECOND * _FIRST_SECONDS
        self._seconds = _FIRST_SECONDS
        self.per_second = _FIRST_TOKENS_PER_SECOND

    def add(self, tokens: int, seconds: float) -> None:
        """Takes a run into the mean."""
        self._tokens = _REMEMBERED * self._tokens + tokens
        self._seconds = _REMEMBERED * self._seconds + seconds
        self.per_second = self._tokens / self._seconds


class ReturningCallers:
    """How long to wait for those who were just answered, so that their next texts run with those that wait.

    As long as they keep coming, each within milliseconds of the one before, at most a quarter of the time that their
    run took, and no longer than until as many texts have come as were answered. Times are those of time.monotonic().
    """

    def __init__(self) -> None:
        self._missing = 0
        self._latest = self._until = 0.0

    def answered(self, callers: int, run_seconds: float, now: float) -> None:
        """So many callers have their answers now, after a run that took so long."""
        self._missing = callers
        self._latest = now
        self._until = now + _SHARE_OF_RUN * run_seconds

    def arrived(self, now: float) -> None:
        """A text came."""
        self._missing -= 1
        self._latest = now

    def wait_seconds(self, now: float) -> float:
        """For how long another one may still be waited for; none when it is 0 or less."""
        return min(self._until, self._latest + _RETURN_SECONDS) - now if self._missing > 0 else 0.0
