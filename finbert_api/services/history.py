"""What callers do with their predictions afterwards: find, list, export, correct and delete them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

from finbert_api.domain.caller import Caller
from finbert_api.domain.errors import PredictionNotFound
from finbert_api.domain.prediction import Feedback, Page, Prediction, PredictionFilter
from finbert_api.domain.sentiment import Label
from finbert_api.services.scores import ScoreService
from finbert_api.storage.feedback import FeedbackStore
from finbert_api.storage.predictions import PredictionStore


class HistoryService:
    """The predictions that are kept; a caller reaches those alone that it may see.

    Every method raises StorageUnavailable when the database does not answer.
    """

    def __init__(self, store: PredictionStore, feedback: FeedbackStore, scores: ScoreService) -> None:
        self._store = store
        self._feedback = feedback
        self._scores = scores

    def find(self, request_id: UUID, caller: Caller) -> Prediction:
        """The prediction of that id. Raises PredictionNotFound, also when it is another key's."""
        prediction = self._store.get(request_id, caller.visible_key_id)
        if prediction is None:
            raise PredictionNotFound("Prediction not found")
        return prediction

    def page(self, limit: int, cursor: UUID | None, wanted: PredictionFilter, caller: Caller) -> Page:
        """A page of the predictions that match, newest first."""
        return self._store.page(limit, cursor, wanted, caller.visible_key_id)

    def walk(self, wanted: PredictionFilter, caller: Caller) -> Iterator[list[Prediction]]:
        """All predictions that match, newest first, some at a time."""
        return self._store.walk(wanted, caller.visible_key_id)

    def delete(self, request_id: UUID, caller: Caller) -> None:
        """Removes a prediction, its feedback and its idempotency key, and its text's scores from the cache.

        Raises PredictionNotFound, also when it is another key's.
        """
        text = self._store.remove(request_id, caller.visible_key_id)
        if text is None:
            raise PredictionNotFound("Prediction not found")
        self._scores.forget(text)

    def annotate(self, request_id: UUID, label: Label, caller: Caller) -> Feedback:
        """Keeps what the caller says the label should be, in place of what it said before.

        Raises PredictionNotFound, also when it is another key's.
        """
        feedback = Feedback(request_id, caller.key_id, label, datetime.now(UTC))
        if not self._feedback.put(feedback, caller.visible_key_id):
            raise PredictionNotFound("Prediction not found")
        return feedback
