"""Predict a text, and keep the prediction."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from finbert_api.domain.caller import Caller
from finbert_api.domain.errors import FinbertError, Overloaded, StorageUnavailable
from finbert_api.domain.identifiers import new_request_id
from finbert_api.domain.prediction import Prediction
from finbert_api.inference.batching import Scored
from finbert_api.observability.metrics import Metrics
from finbert_api.observability.tracing import Tracing
from finbert_api.services.scores import ScoreService
from finbert_api.storage.predictions import PredictionStore
from finbert_api.storage.writer import Joined

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A prediction, whether it needed no run of the model, whether its row is stored, and where its seconds went.

    `replayed` says that it is an earlier request's, found by its Idempotency-Key.
    """

    prediction: Prediction
    cache_hit: bool
    stored: bool
    queue_seconds: float
    inference_seconds: float
    storage_seconds: float
    replayed: bool = False

    @property
    def stages(self) -> dict[str, float]:
        """Its seconds by stage."""
        return {"queue": self.queue_seconds, "inference": self.inference_seconds, "storage": self.storage_seconds}


class PredictionService:
    """Predictions made and kept; those with a confidence below `low_confidence` are counted apart."""

    def __init__(
        self, scores: ScoreService, store: PredictionStore, metrics: Metrics, tracing: Tracing, low_confidence: float
    ) -> None:
        self._scores = scores
        self._store = store
        self._metrics = metrics
        self._tracing = tracing
        self._low_confidence = low_confidence

    @property
    def model_version(self) -> str | None:
        """The version that predicts, None when no verified model is loaded."""
        return self._scores.model_version

    def refusal(self, text: str) -> Overloaded | None:
        """What refuses a text when too many wait; None when its scores are known, so that it need not."""
        return self._scores.refusal(text)

    def predict(
        self,
        text: str,
        source: str | None,
        caller: Caller,
        request_id: UUID,
        deadline: float,
        *,
        keep: Callable[[Prediction], bool] | None = None,
        meanwhile: Callable[[Prediction], None] = lambda _: None,
    ) -> Outcome:
        """The model's prediction of a text under a fresh UUIDv7, stored before it is returned.

        When it can't be stored it is returned all the same, `stored` False. `deadline` is in seconds of
        time.monotonic(). `meanwhile` is called with it once, where possible while it is being stored. `keep` stores it
        in another way, without calling that, and tells whether it did. Raises ModelUnavailable, Overloaded,
        DeadlinePassed, InferenceFailed, and what `keep` or `meanwhile` raises.
        """
        arrived = time.perf_counter()
        joined: list[tuple[Prediction, Joined]] = []

        def join(scored: Scored) -> None:
            """Has the row written with those of its batch, before its own caller has woken up."""
            if time.monotonic() >= deadline:  # the caller has left, and was told that there is no answer
                return
            made = _prediction(request_id, caller, (text, source), scored, time.perf_counter() - arrived)
            joined.append((made, self._store.join(made)))

        with self._tracing.span("score"):
            scored, cache_hit = self._scores.score(text, deadline, then=None if keep else join)
            self._tracing.stages_until_now({"queue": scored.queue_seconds, "inference": scored.inference_seconds})
        scored_at = time.perf_counter()
        if joined:
            ((prediction, place),) = joined
        else:
            prediction = _prediction(request_id, caller, (text, source), scored, scored_at - arrived)
            place = None
        with self._tracing.span("store"):
            stored = keep(prediction) if keep else self._keep(prediction, place, partial(meanwhile, prediction))
        self._count(scored, cache_hit)
        return _outcome(prediction, scored, cache_hit, stored=stored, storage_seconds=time.perf_counter() - scored_at)

    def predict_batch(
        self, items: Sequence[tuple[str, str | None]], caller: Caller, deadline: float
    ) -> list[Outcome | FinbertError]:
        """The model's prediction of each (text, source), or what kept that text from being scored, in their order.

        They are one submission to the engine and one commit. `latency_ms` of each is how long its own text waited and
        ran; `storage_seconds` is that of all. Raises ModelUnavailable, and Overloaded or DeadlinePassed when there is
        no room for them; then none is stored.
        """
        request_ids = [new_request_id() for _ in items]
        with self._tracing.span("score"):
            scored_items = self._scores.score_all([text for text, _ in items], deadline)
        scored_at = time.perf_counter()
        made = {
            request_id: _prediction(
                request_id, caller, item, scored[0], scored[0].queue_seconds + scored[0].inference_seconds
            )
            for request_id, item, scored in zip(request_ids, items, scored_items, strict=True)
            if not isinstance(scored, FinbertError)
        }
        with self._tracing.span("store"):
            stored = self._keep_all(list(made.values()))
        storage_seconds = time.perf_counter() - scored_at
        outcomes: list[Outcome | FinbertError] = []
        for request_id, scored in zip(request_ids, scored_items, strict=True):
            if isinstance(scored, FinbertError):
                outcomes.append(scored)
                continue
            self._count(*scored)
            outcomes.append(
                _outcome(made[request_id], *scored, stored=request_id in stored, storage_seconds=storage_seconds)
            )
        return outcomes

    def is_storage_connected(self) -> bool:
        """Whether predictions can be stored and found at the moment."""
        return self._store.is_connected()

    def _count(self, scored: Scored, cache_hit: bool) -> None:
        sentiment = scored.sentiment
        self._metrics.predicted(sentiment.label.value, scored.model_version, float(sentiment.confidence))
        if sentiment.confidence < self._low_confidence:
            self._metrics.low_confidence()
        if cache_hit:
            self._metrics.cache_hit()
        else:
            self._metrics.cache_missed()
            self._metrics.inferred(scored.inference_seconds)

    def _keep(self, prediction: Prediction, place: Joined | None, meanwhile: Callable[[], None]) -> bool:
        try:
            self._store.complete(place or self._store.join(prediction), meanwhile)
        except StorageUnavailable as error:
            self._not_stored(prediction, error)
            return False
        return True

    def _keep_all(self, predictions: Sequence[Prediction]) -> set[UUID]:
        """Those that are stored, by their request_id. Raises what only a defect can be the reason of."""
        if not predictions:
            return set()
        faults = self._store.add_all(predictions)
        for prediction, fault in zip(predictions, faults, strict=True):
            if isinstance(fault, StorageUnavailable):
                self._not_stored(prediction, fault)
            elif fault is not None:
                raise fault
        return {each.request_id for each, fault in zip(predictions, faults, strict=True) if fault is None}

    def _not_stored(self, prediction: Prediction, error: StorageUnavailable) -> None:
        self._metrics.write_failed()
        logger.error(
            "prediction not stored", extra={"prediction_id": str(prediction.request_id), "cause": error.reason}
        )


def _prediction(
    request_id: UUID, caller: Caller, item: tuple[str, str | None], scored: Scored, seconds: float
) -> Prediction:
    text, source = item
    return Prediction(
        request_id=request_id,
        key_id=caller.key_id,
        text=text,
        source=source,
        sentiment=scored.sentiment,
        model_version=scored.model_version,
        latency_ms=round(seconds * 1000, 1),
        token_count=scored.token_count,
        truncated=scored.truncated,
    )


def _outcome(
    prediction: Prediction, scored: Scored, cache_hit: bool, *, stored: bool, storage_seconds: float
) -> Outcome:
    return Outcome(
        prediction=prediction,
        cache_hit=cache_hit,
        stored=stored,
        queue_seconds=scored.queue_seconds,
        inference_seconds=scored.inference_seconds,
        storage_seconds=storage_seconds,
    )
