"""The scores of a text: from the cache, from the same text's computation that is under way, or from the engine."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from dataclasses import replace

from finbert_api.domain.errors import DeadlinePassed, FinbertError, ModelUnavailable, Overloaded
from finbert_api.inference.batching import Scored
from finbert_api.inference.engine import Engine, result_of
from finbert_api.inference.tokenizer import Window
from finbert_api.storage.cache import CachedScores, ScoreCache, cache_key

# As many as a batch of predictions: nobody's texts take all the room there is at once.
TEXTS_AT_A_TIME = 100


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

    def windows(self, text: str) -> list[Window]:
        """The parts of a text that the model can read whole. Raises ModelUnavailable, InferenceFailed."""
        return self._engine.windows(text)

    def score(self, text: str, deadline: float, then: Callable[[Scored], None] | None = None) -> tuple[Scored, bool]:
        """The scores of a text, and whether they came without a computation of this caller's own.

        If they need one, `then` is called with them the moment they are there, in the thread that has them, which must
        not wait: all texts of a batch are told before the first of their callers goes on. `deadline` is in seconds of
        time.monotonic(). Raises ModelUnavailable, Overloaded, DeadlinePassed and InferenceFailed; those that wait for
        another caller get what that one gets, except for its deadline: a caller with time left then takes over.
        """
        arrived = time.perf_counter()
        identity, model_version = self._model()
        key = cache_key(identity, text)
        while True:
            with self._lock:
                flight = self._flights.get(key)
                leads = flight is None
                if flight is None:
                    flight = self._flights[key] = Future()
            if leads:
                return self._lead(flight, key, text, deadline, model_version, then=then)
            try:
                with self._wait():
                    scored = result_of(flight, deadline)
            except CancelledError:
                continue
            return replace(scored, queue_seconds=time.perf_counter() - arrived, inference_seconds=0.0), True

    def forget(self, text: str) -> None:
        """Removes a text's scores from the cache."""
        if (identity := self._engine.identity) is not None:
            self._cache.remove(cache_key(identity, text))

    def score_all(self, texts: Sequence[str], deadline: float) -> list[tuple[Scored, bool] | FinbertError]:
        """The scores of texts in their order, each as `score` gives them, or what it would raise for that text alone.

        What has to be computed is one submission to the engine. Raises ModelUnavailable, and Overloaded or
        DeadlinePassed when the engine takes none of them.
        """
        identity, model_version = self._model()
        keys = [cache_key(identity, text) for text in texts]
        text_of = dict(zip(keys, texts, strict=True))
        with self._lock:
            led = {key: Future[Scored]() for key in text_of if key not in self._flights}
            self._flights.update(led)
        outcomes = self._lead_all(led, text_of, deadline, model_version)
        # Only now, when nobody waits for this caller any more, does it wait for others.
        for key in text_of.keys() - led.keys():
            try:
                outcomes[key] = self.score(text_of[key], deadline)
            except FinbertError as error:
                outcomes[key] = error
        first_place = {key: place for place, key in reversed(list(enumerate(keys)))}
        return [outcomes[key] if place == first_place[key] else _again(outcomes[key]) for place, key in enumerate(keys)]

    def score_variants(self, texts: Sequence[str], deadline: float) -> list[Scored]:
        """The scores of texts that nobody will ask for again: not looked up, not kept. Raises what `score` does."""
        self._model()
        scored: list[Scored] = []
        with self._wait():
            for first in range(0, len(texts), TEXTS_AT_A_TIME):
                futures = self._engine.submit_all(texts[first : first + TEXTS_AT_A_TIME], deadline)
                try:
                    scored += [result_of(future, deadline) for future in futures]
                finally:
                    for future in futures:  # when one of them failed: nobody wants the others
                        future.cancel()
        return scored

    def _model(self) -> tuple[str, str]:
        """The identity and the version of the model. Raises ModelUnavailable."""
        identity, model_version = self._engine.identity, self._engine.model_version
        if identity is None or model_version is None:
            raise ModelUnavailable("No verified model is loaded")
        return identity, model_version

    def _lead_all(
        self, led: Mapping[bytes, Future[Scored]], text_of: Mapping[bytes, str], deadline: float, model_version: str
    ) -> dict[bytes, tuple[Scored, bool] | FinbertError]:
        """What becomes of the texts whose first caller this one is."""
        outcomes: dict[bytes, tuple[Scored, bool] | FinbertError] = {}
        try:
            for key, flight in led.items():
                if known := self._known(flight, key, model_version):
                    outcomes[key] = known, True
            missing = [key for key in led if key not in outcomes]
            if missing:
                with self._wait():
                    futures = self._engine.submit_all([text_of[key] for key in missing], deadline)
                    for key, future in zip(missing, futures, strict=True):
                        outcomes[key] = self._land(led[key], key, future, deadline)
        except BaseException as error:
            for key in led.keys() - outcomes.keys():
                self._abandon(led[key], key, error)
            raise
        return outcomes

    def _land(
        self, flight: Future[Scored], key: bytes, future: Future[Scored], deadline: float
    ) -> tuple[Scored, bool] | FinbertError:
        """What the engine made of a text, told to those who wait for it too."""
        try:
            scored = result_of(future, deadline)
        except FinbertError as error:
            self._abandon(flight, key, error)
            return error
        self._keep(flight, key, scored)
        return scored, False

    def _lead(
        self,
        flight: Future[Scored],
        key: bytes,
        text: str,
        deadline: float,
        model_version: str,
        *,
        then: Callable[[Scored], None] | None,
    ) -> tuple[Scored, bool]:
        """As `score`, for the first caller of a text, on whose flight the others wait."""
        try:
            if known := self._known(flight, key, model_version):
                return known, True
            with self._wait():
                scored = self._engine.score(text, deadline, then)
        except BaseException as error:
            self._abandon(flight, key, error)
            raise
        self._keep(flight, key, scored)
        return scored, False

    def _known(self, flight: Future[Scored], key: bytes, model_version: str) -> Scored | None:
        """Scores that the cache has, told to those who wait for them too."""
        cached = self._cache.get(key)
        if cached is None:
            return None
        scored = _from_cache(cached, model_version)
        flight.set_result(scored)
        self._end_flight(key)
        return scored

    def _keep(self, flight: Future[Scored], key: bytes, scored: Scored) -> None:
        """Gives new scores to those who wait for them and to the cache."""
        flight.set_result(scored)
        try:
            self._cache.put(key, CachedScores(scored.sentiment, scored.token_count, scored.truncated))
        finally:
            self._end_flight(key)  # after the cache has them: nobody finds neither

    def _abandon(self, flight: Future[Scored], key: bytes, error: BaseException) -> None:
        """Tells those who wait for a first caller that it failed, or lets one of them take over."""
        self._end_flight(key)  # before the others wake up: one of them starts its own
        if isinstance(error, DeadlinePassed) or not isinstance(error, Exception):
            flight.cancel()
        else:
            flight.set_exception(error)

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


def _again(outcome: tuple[Scored, bool] | FinbertError) -> tuple[Scored, bool] | FinbertError:
    """The outcome of a text for its next place among texts: that one needs no computation of its own."""
    if isinstance(outcome, FinbertError):
        return outcome
    return replace(outcome[0], inference_seconds=0.0), True


def _from_cache(cached: CachedScores, model_version: str) -> Scored:
    return Scored(
        sentiment=cached.sentiment,
        model_version=model_version,
        token_count=cached.token_count,
        truncated=cached.truncated,
        queue_seconds=0.0,
        inference_seconds=0.0,
    )
