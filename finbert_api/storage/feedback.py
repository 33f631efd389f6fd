"""What people say of predictions, in PostgreSQL."""

from uuid import UUID

from sqlalchemy import literal, select
from sqlalchemy.dialects.postgresql import insert as upsert

from finbert_api.domain.prediction import Feedback
from finbert_api.storage.tables import FeedbackRow, PredictionRow
from finbert_api.storage.transactions import writing

_COLUMNS = ("request_id", "key_id", "label", "created_at")


class FeedbackStore:
    """Where feedback is kept. Every method needs an application context."""

    def put(self, feedback: Feedback, visible_key_id: UUID | None) -> bool:
        """Keeps feedback, in place of what the same key said of the same prediction before.

        False when no such prediction belongs to the visible key (None: to any). Raises StorageUnavailable.
        """
        said = [getattr(FeedbackRow, name).type for name in _COLUMNS[1:]]
        values = (feedback.key_id, feedback.label.value, feedback.created_at)
        # Locked, a prediction can't go between being found and being said something of.
        prediction = (
            select(PredictionRow.request_id, *map(literal, values, said))
            .where(PredictionRow.request_id == feedback.request_id)
            .with_for_update(key_share=True)
        )
        if visible_key_id is not None:
            prediction = prediction.where(PredictionRow.key_id == visible_key_id)
        added = upsert(FeedbackRow).from_select(_COLUMNS, prediction)
        replaced = added.on_conflict_do_update(
            index_elements=[FeedbackRow.request_id, FeedbackRow.key_id],
            set_={"label": added.excluded.label, "created_at": added.excluded.created_at},
        ).returning(FeedbackRow.request_id)
        with writing() as session:
            return session.scalars(replaced).one_or_none() is not None
