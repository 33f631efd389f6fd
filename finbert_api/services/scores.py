"""The scores of a text: from the cache, from the same text's computation that is under way, or from the engine."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from dataclasses import replace

from finbert_api.domain.errors import DeadlinePassed, ModelUnavailable, Overloaded
from finbert_api.inference.batching import Scored
from finbert_api.inference.engine import Engine
from finbert_api.storage.cache import CachedScores, ScoreCache, cache_key


class ScoreService:
    """Scores a text once, however often and by however many at a time it is asked for.

    The first caller of a text leads: it looks into the cache and asks the engine; those who ask for the same text
    meanwhile wait for what it finds. At most `most_waiting` callers wait, for the engine or for a first caller, since
    each of them holds a thread; what the cache knows needs no wait.
    """

    def __init__(self, engine: Engine, cache: ScoreCache, most_waiting: int) -> None:
        self._engine = engine
        self._cache = cache
        self._most_waiting = most_waiting
        self._waiting = 0
        self._lock = threading.Lock()
        self._flights: dict[bytes, Future[Scored]] = {}

    @property
    def model_version(self) -> str | None:
        """The version that scores, None when no verified model is loaded."""
        return self._engine.model_version

    def refusal(self, text: str) -> Overloaded | None:
        """What refuses a text when too many wait; None when its scores are known, so that it need not."""
        if (identity := self._engine.identity) is None:
            return None
        return None if self._cache.get(cache_key(identity, text)) else self._overloaded()

    def score(self, text: str, deadline: float) -> tuple[Scored, bool]:
        """The scores of a text, and whether they came without a computation of this caller's own.

        `deadline` is in seconds of time.monotonic(). Raises ModelUnavailable, Overloaded, DeadlinePassed and
        InferenceFailed; those that wait for another caller get what that one gets, except for its deadline: a caller
        with time left then takes over.
        """
        arrived = time.perf_counter()
        identity, model_version = self._engine.identity, self._engine.model_version
        if identity is None or model_version is None:
            raise ModelUnavailable("No verified model is loaded")
        key = cache_key(identity, text)
        while True:
            with self._lock:
                flight = self._flights.get(key)
                leads = flight is None
                if flight is None:
                    flight = self._flights[key] = Future()
            if leads:
                return self._lead(flight, key, text, deadline, model_version)
            try:
                with self._wait():
                    scored = flight.result(deadline - time.monotonic())
            except CancelledError:
                continue
            except TimeoutError:
                raise DeadlinePassed from None
            return replace(scored, queue_seconds=time.perf_counter() - arrived, inference_seconds=0.0), True

    def _lead(
        self, flight: Future[Scored], key: bytes, text: str, deadline: float, model_version: str
    ) -> tuple[Scored, bool]:
        """As `score`, for the first caller of a text, on whose flight the others wait."""
        try:
            if cached := self._cache.get(key):
                scored = _from_cache(cached, model_version)
            else:
                with self._wait():
                    scored = self._engine.score(text, deadline)
        except BaseException as error:
            self._end_flight(key)  # before the others wake up: one of them starts its own
            if isinstance(error, DeadlinePassed) or not isinstance(error, Exception):
                flight.cancel()
            else:
                flight.set_exception(error)
            raise
        flight.set_result(scored)
        try:
            if cached is None:
                self._cache.put(key, CachedScores(scored.sentiment, scored.token_count, scored.truncated))
        finally:
            self._end_flight(key)  # after the cache has them: nobody finds neither
        return scored, cached is not None

    @contextmanager
    def _wait(self) -> Iterator[None]:
        with self._lock:
            if self._waiting >= self._most_waiting:
                raise self._overloaded()
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    def _overloaded(self) -> Overloaded:
        return Overloaded(self._engine.backlog_seconds)

    def _end_flight(self, key: bytes) -> None:
        with self._lock:
            del self._flights[key]


def _from_cache(cached: CachedScores, model_version: str) -> Scored:
    return Scored(
        sentiment=cached.sentiment,
        model_version=model_version,
        token_count=cached.token_count,
        truncated=cached.truncated,
        queue_seconds=0.0,
        inference_seconds=0.0,
    )
