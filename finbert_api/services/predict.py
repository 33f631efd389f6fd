"""Predict a text, keep the prediction, find it again."""

import logging
import time
from dataclasses import dataclass
from uuid import UUID

from finbert_api.domain.caller import Caller
from finbert_api.domain.errors import Overloaded, PredictionNotFound, StorageUnavailable
from finbert_api.domain.prediction import Page, Prediction
from finbert_api.domain.sentiment import Label
from finbert_api.observability.metrics import Metrics
from finbert_api.services.scores import ScoreService
from finbert_api.storage.predictions import PredictionStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A prediction, whether it needed no run of the model, whether its row is stored, and where its seconds went."""

    prediction: Prediction
    cache_hit: bool
    stored: bool
    queue_seconds: float
    inference_seconds: float
    storage_seconds: float


class PredictionService:
    """Predictions made, kept and found."""

    def __init__(self, scores: ScoreService, store: PredictionStore, metrics: Metrics) -> None:
        self._scores = scores
        self._store = store
        self._metrics = metrics

    @property
    def model_version(self) -> str | None:
        """The version that predicts, None when no verified model is loaded."""
        return self._scores.model_version

    def refusal(self, text: str) -> Overloaded | None:
        """What refuses a text when too many wait; None when its scores are known, so that it need not."""
        return self._scores.refusal(text)

    def predict(self, text: str, source: str | None, caller: Caller, request_id: UUID, deadline: float) -> Outcome:
        """The model's prediction of a text under a fresh UUIDv7, stored before it is returned.

        When it can't be stored it is returned all the same, `stored` False. `deadline` is in seconds of
        time.monotonic(). Raises ModelUnavailable, Overloaded, DeadlinePassed, InferenceFailed.
        """
        arrived = time.perf_counter()
        scored, cache_hit = self._scores.score(text, deadline)
        scored_at = time.perf_counter()
        prediction = Prediction(
            request_id=request_id,
            key_id=caller.key_id,
            text=text,
            source=source,
            sentiment=scored.sentiment,
            model_version=scored.model_version,
            latency_ms=round((scored_at - arrived) * 1000, 1),
            token_count=scored.token_count,
            truncated=scored.truncated,
        )
        stored = self._keep(prediction)
        self._metrics.predicted(prediction.label.value, prediction.model_version)
        if cache_hit:
            self._metrics.cache_hit()
        else:
            self._metrics.cache_missed()
            self._metrics.inferred(scored.inference_seconds)
        return Outcome(
            prediction=prediction,
            cache_hit=cache_hit,
            stored=stored,
            queue_seconds=scored.queue_seconds,
            inference_seconds=scored.inference_seconds,
            storage_seconds=time.perf_counter() - scored_at,
        )

    def find(self, request_id: UUID, caller: Caller) -> Prediction:
        """The prediction of that id. Raises PredictionNotFound, also when it is another key's; StorageUnavailable."""
        prediction = self._store.get(request_id, caller.visible_key_id)
        if prediction is None:
            raise PredictionNotFound("Prediction not found")
        return prediction

    def page(self, limit: int, cursor: UUID | None, label: Label | None, caller: Caller) -> Page:
        """A page of the predictions the caller may see, newest first. Raises StorageUnavailable."""
        return self._store.page(limit, cursor, label, caller.visible_key_id)

    def is_storage_connected(self) -> bool:
        """Whether predictions can be stored and found at the moment."""
        return self._store.is_connected()

    def _keep(self, prediction: Prediction) -> bool:
        try:
            self._store.add(prediction)
        except StorageUnavailable as error:
            self._metrics.write_failed()
            logger.error(  # noqa: TRY400 - the cause in one line says it all; a traceback for each request would not
                "prediction not stored",
                extra={"prediction_id": str(prediction.request_id), "cause": error.reason},
            )
            return False
        return True
