"""The engine: texts in, sentiments out, many callers sharing one session's runs."""

import atexit
import hashlib
import logging
import threading
import time
from bisect import insort
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from operator import attrgetter
from queue import SimpleQueue
from typing import Protocol, TypeVar

import numpy as np

from finbert_api.domain.errors import DeadlinePassed, InferenceFailed, ModelUnavailable, Overloaded
from finbert_api.domain.sentiment import sentiment_of
from finbert_api.inference.artifact import Manifest
from finbert_api.inference.batching import (
    EngineLimits,
    FinishedRun,
    ReturningCallers,
    Scored,
    TokenRate,
    WaitingText,
    next_batch,
    token_count,
)
from finbert_api.inference.session import Session
from finbert_api.inference.tokenizer import TextTokenizer, Window
from finbert_api.observability.metrics import Metrics

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 5.0
CAUSE_CHARACTERS = 300
# Of the session's time, for texts that come together while others come alone; when none do, they have all of it.
SHARE_OF_MANY = 0.5

_turn = attrgetter("turn")

_Read = TypeVar("_Read")


class Engine(Protocol):
    """What a prediction needs from a model. Deadlines are absolute, in seconds of time.monotonic()."""

    @property
    def model_version(self) -> str | None:
        """The version that scores, None when none is loaded."""

    @property
    def identity(self) -> str | None:
        """sha256, in hexadecimal, of what decides the scores: graph and tokenizer; None when no model is loaded."""

    @property
    def backlog_seconds(self) -> float:
        """How long the texts that wait and run will take."""

    def submit(self, text: str, deadline: float, then: Callable[[Scored], None] | None = None) -> Future[Scored]:
        """The sentiment of a text, as soon as it is there.

        `then` is called with it before, in the thread that has it, which must not wait: that of each text of a batch,
        before the first of their callers goes on. What it raises the future raises. Cancelling the future takes a text
        that still waits out of the queue. Raises ModelUnavailable when no model is loaded, Overloaded when the text
        would wait too long, DeadlinePassed, and InferenceFailed when it can't be tokenised. The future raises
        DeadlinePassed, InferenceFailed, or ModelUnavailable when the engine is closed.
        """

    def submit_all(self, texts: Sequence[str], deadline: float) -> list[Future[Scored]]:
        """The sentiments of texts, in their order, as soon as each is there; there is room for all of them or for none.

        Others are not kept waiting until all are scored: the texts take turns with theirs. Raises as `submit`, but that
        the future of a text that can't be tokenised raises InferenceFailed.
        """

    def score(self, text: str, deadline: float, then: Callable[[Scored], None] | None = None) -> Scored:
        """Submits a text and waits for its sentiment until the deadline. Raises what `submit` and its future raise."""

    def windows(self, text: str) -> list[Window]:
        """The parts of a text that the model can read whole, which overlap; one when it can read the text whole.

        Raises ModelUnavailable when no model is loaded, InferenceFailed when the text can't be tokenised.
        """

    def close(self) -> None:
        """Ends the engine; callers that still wait get ModelUnavailable."""


class BatchingEngine:
    """Scores the texts of many callers in batches on one session.

    Callers tokenise in their own threads and queue up. One thread runs batches, one after the other: at once when it is
    idle, else with what has gathered meanwhile. It turns logits into sentiments and hands them out, and waits a moment
    for their callers to come back with the next texts. When a whole batch waits already, the session should not idle: a
    second thread hands out then, and nobody is waited for.
    """

    def __init__(
        self,
        manifest: Manifest,
        tokenizer: TextTokenizer,
        session: Session,
        limits: EngineLimits | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._manifest = manifest
        digests = manifest.model_digest + manifest.tokenizer_digest
        self._identity = hashlib.sha256(digests.encode()).hexdigest()
        self._tokenizer = tokenizer
        self._session = session
        self._limits = limits or EngineLimits()
        self._metrics = metrics or Metrics()
        self._rate = TokenRate()
        self._returning = ReturningCallers()
        self._changed = threading.Condition(threading.Lock())
        self._waiting: list[WaitingText] = []
        self._waiting_tokens = 0
        self._tokens_of_many = 0
        self._running: list[WaitingText] = []
        self._running_tokens = 0
        self._closed = False
        self._finished_runs: SimpleQueue[FinishedRun | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run_batches, name="engine", daemon=True),
            threading.Thread(target=self._deliver_runs, name="engine-delivery", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        # A thread that comes back from the session into an interpreter that is being torn down would crash the process.
        atexit.register(self.close)

    @property
    def model_version(self) -> str:
        """The artifact's version."""
        return self._manifest.model_version

    @property
    def identity(self) -> str:
        """sha256 over the digests of graph and tokenizer."""
        return self._identity

    @property
    def backlog_seconds(self) -> float:
        """The tokens that wait and run over the rate that was measured."""
        return (self._waiting_tokens + self._running_tokens) / self._rate.per_second

    def submit(self, text: str, deadline: float, then: Callable[[Scored], None] | None = None) -> Future[Scored]:
        """The sentiment of a text, cut at the model's own limit. Raises as Engine.submit says."""
        # Checked before the text is tokenised too: under overload, what a refusal costs is taken from the answers.
        with self._changed:
            self._require_room(0, deadline)
        tokens = self._read(self._tokenizer.tokenize, text)
        now = time.monotonic()
        waiting = WaitingText(tokens.ids, tokens.truncated, deadline, arrived=now, turn=now, then=then)
        with self._changed:
            self._require_room(len(tokens), deadline)
            insort(self._waiting, waiting, key=_turn)
            self._waiting_tokens += len(tokens)
            self._returning.arrived(now)
            self._changed.notify()
        self._metrics.queued()
        return waiting.future

    def submit_all(self, texts: Sequence[str], deadline: float) -> list[Future[Scored]]:
        """The sentiments of texts, each cut at the model's own limit. Raises as Engine.submit_all says."""
        with self._changed:
            self._require_room(0, deadline, many=True)
        futures: list[Future[Scored]] = []
        submitted: list[WaitingText] = []
        turn = now = time.monotonic()
        for text in texts:
            try:
                tokens = self._read(self._tokenizer.tokenize, text)
            except InferenceFailed as error:
                futures.append(Future())
                futures[-1].set_exception(error)
                continue
            submitted.append(WaitingText(tokens.ids, tokens.truncated, deadline, arrived=now, turn=turn, of_many=True))
            futures.append(submitted[-1].future)
            turn += len(tokens) / (SHARE_OF_MANY * self._rate.per_second)
        tokens_in_all = token_count(submitted)
        with self._changed:
            self._require_room(tokens_in_all, deadline, many=True)
            self._waiting = sorted([*self._waiting, *submitted], key=_turn)
            self._waiting_tokens += tokens_in_all
            self._tokens_of_many += tokens_in_all
            self._changed.notify()
        for _ in submitted:
            self._metrics.queued()
        return futures

    def score(self, text: str, deadline: float, then: Callable[[Scored], None] | None = None) -> Scored:
        """Submits a text and waits for its sentiment until the deadline. Raises as Engine.submit and its future do."""
        return result_of(self.submit(text, deadline, then), deadline)

    def windows(self, text: str) -> list[Window]:
        """The parts of a text that the model can read whole. Raises InferenceFailed when it can't be tokenised."""
        return self._read(self._tokenizer.windows, text)

    def close(self) -> None:
        """Ends the engine once its present run is over; callers that still wait get ModelUnavailable at once."""
        atexit.unregister(self.close)
        self._stop()
        for thread in self._threads:
            thread.join(CLOSE_SECONDS)

    def _read(self, tokenise: Callable[[str], _Read], text: str) -> _Read:
        """What the tokenizer makes of a text."""
        try:
            return tokenise(text)
        except Exception as error:  # noqa: BLE001 - whatever the tokenizer raises; its message may quote the text
            logger.error("text not tokenised", extra={"cause": type(error).__name__})  # noqa: TRY400 - as may the traceback
            raise InferenceFailed("The text can't be tokenised") from None

    def _require_room(self, tokens: int, deadline: float, *, many: bool = False) -> None:
        """Raises unless that many more tokens may wait; called with the lock held.

        A text that comes alone takes turns with those of many, so that their room is none of its own. Of many there may
        be more than can ever wait: they are taken when no others wait.
        """
        if self._closed:
            raise _closed()
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise DeadlinePassed
        if not self._waiting and not self._running:
            return
        backlog_seconds = self.backlog_seconds
        waiting = self._tokens_of_many if many else self._waiting_tokens - self._tokens_of_many
        most = max(self._limits.max_queue_tokens, tokens) if many else self._limits.max_queue_tokens
        if waiting + tokens > most or backlog_seconds + tokens / self._rate.per_second > remaining:
            raise Overloaded(backlog_seconds)

    def _run_batches(self) -> None:
        try:
            while batch := self._take_batch():
                started = time.monotonic()
                rows = self._rows_of(batch)
                finished = time.monotonic()
                self._rate.add(token_count(batch), finished - started)
                run = FinishedRun(batch, rows, started, finished)
                # Read without the lock: a text that comes now waits for this run to be handed out at worst.
                if self._is_batch_waiting():
                    self._finished_runs.put(run)
                else:
                    with self._changed:  # first, since those who have their answers may be back before the last has
                        self._returning.answered(sum(not text.of_many for text in batch), finished - started, finished)
                    self._deliver(run)
        finally:
            # Whatever ended this thread, nobody may wait for it.
            self._stop()
            _fail(self._running, _closed)
            self._finished_runs.put(None)

    def _take_batch(self) -> list[WaitingText]:
        """The texts to run next, as soon as there are any; none when the engine is closed."""
        while True:
            with self._changed:
                self._running, self._running_tokens = [], 0
                while not self._waiting and not self._closed:
                    self._changed.wait()
                now = self._wait_for_returning()
                if self._closed:
                    return []
                present: list[WaitingText] = []
                late: list[WaitingText] = []
                for text in self._waiting:
                    (present if now < text.deadline else late).append(text)
                chosen = next_batch(present, self._limits.max_batch_tokens)
                taken = set(chosen)
                self._waiting = [text for text in present if text not in taken]
                self._waiting_tokens = token_count(self._waiting)
                self._tokens_of_many = token_count(text for text in self._waiting if text.of_many)
                # Without those that were cancelled.
                self._running = [text for text in chosen if text.future.set_running_or_notify_cancel()]
                self._running_tokens = token_count(self._running)
            self._metrics.unqueued(len(late) + len(chosen))
            _fail(late, DeadlinePassed)
            if self._running:
                return self._running

    def _is_batch_waiting(self) -> bool:
        return self._waiting_tokens >= self._limits.max_batch_tokens

    def _wait_for_returning(self) -> float:
        """The time when nobody is worth waiting for any more; called with the lock held."""
        now = time.monotonic()
        while not self._closed and not self._is_batch_waiting() and (left := self._returning.wait_seconds(now)) > 0:
            self._changed.wait(left)
            now = time.monotonic()
        return now

    def _rows_of(self, batch: list[WaitingText]) -> list[np.ndarray | None]:
        """A row of logits for each text, None for those that fail alone too."""
        try:
            return self._run(batch)
        except Exception as error:  # noqa: BLE001 - whatever the session raises may be the fault of one text
            rows = self._rows_apart(batch)
            cause = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"[:CAUSE_CHARACTERS]
            logger.error(  # noqa: TRY400 - ONNX Runtime's own stack is not in the traceback, and the cause is
                "a run failed",
                extra={"cause": cause, "texts": len(batch), "failed_texts": sum(row is None for row in rows)},
            )
            return rows

    def _rows_apart(self, batch: list[WaitingText]) -> list[np.ndarray | None]:
        """As _rows_of, of a batch whose run failed: its halves are tried, so that only what is at fault fails."""
        if len(batch) == 1:
            return [None]
        rows: list[np.ndarray | None] = []
        middle = len(batch) // 2
        for half in (batch[:middle], batch[middle:]):
            try:
                rows += self._run(half)
            except Exception:  # noqa: BLE001 - as in _rows_of, which logged it
                rows += self._rows_apart(half)
        return rows

    def _run(self, batch: list[WaitingText]) -> list[np.ndarray | None]:
        return list(self._session.run([text.ids for text in batch]))

    def _deliver_runs(self) -> None:
        while run := self._finished_runs.get():
            self._deliver(run)

    def _deliver(self, run: FinishedRun) -> None:
        tokens, longest = token_count(run.batch), max(len(text.ids) for text in run.batch)
        self._metrics.batch_ran(
            size=len(run.batch),
            tokens=tokens,
            padding_ratio=1 - tokens / (longest * len(run.batch)),
            queue_seconds=[run.started - text.arrived for text in run.batch],
        )
        outcomes = [self._outcome(run, text, row) for text, row in zip(run.batch, run.rows, strict=True)]
        for text, outcome in zip(run.batch, outcomes, strict=True):
            if isinstance(outcome, Scored):
                text.future.set_result(outcome)
            else:
                text.future.set_exception(outcome)

    def _outcome(self, run: FinishedRun, text: WaitingText, row: np.ndarray | None) -> Scored | Exception:
        """A text's scores, of which `then` was told, or what its future is to raise."""
        try:
            scored = self._scored(run, text, row)
            if text.then:
                text.then(scored)
        except Exception as error:  # noqa: BLE001 - whatever `then` raises, its caller is to have it
            return error
        return scored

    def _scored(self, run: FinishedRun, text: WaitingText, row: np.ndarray | None) -> Scored:
        if row is None:
            raise _inference_failed()
        try:
            sentiment = sentiment_of(row.tolist(), self._manifest.labels)
        except ValueError as error:
            logger.error("logits not usable", extra={"cause": str(error)})  # noqa: TRY400 - the cause says it all
            raise _inference_failed() from None
        return Scored(
            sentiment=sentiment,
            model_version=self._manifest.model_version,
            token_count=len(text.ids),
            truncated=text.truncated,
            queue_seconds=run.started - text.arrived,
            inference_seconds=run.finished - run.started,
        )

    def _stop(self) -> None:
        with self._changed:
            self._closed = True
            left, self._waiting = self._waiting, []
            self._waiting_tokens = self._tokens_of_many = 0
            self._changed.notify()
        self._metrics.unqueued(len(left))
        _fail(left, _closed)


def result_of(future: Future[Scored], deadline: float) -> Scored:
    """What a future of an engine gives or raises, DeadlinePassed when it has not by the deadline."""
    try:
        return future.result(deadline - time.monotonic())
    except TimeoutError:  # the text needs no cancelling: its deadline takes it out of the queue
        raise DeadlinePassed from None


def _fail(texts: list[WaitingText], error: Callable[[], Exception]) -> None:
    """Gives an error to the callers of texts, unless they left."""
    for text in texts:
        if text.future.running() or text.future.set_running_or_notify_cancel():
            text.future.set_exception(error())


def _closed() -> ModelUnavailable:
    return ModelUnavailable("The engine was closed")


def _inference_failed() -> InferenceFailed:
    return InferenceFailed("The text could not be scored")
