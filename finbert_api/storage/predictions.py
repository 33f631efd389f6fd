"""Predictions in PostgreSQL: one by one in, by id or by page out."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, select, text
from sqlalchemy.sql import Select

from finbert_api.domain.errors import StorageUnavailable
from finbert_api.domain.prediction import Page, Prediction, PredictionFilter
from finbert_api.domain.sentiment import Label, Sentiment
from finbert_api.extensions import db
from finbert_api.observability.metrics import Metrics
from finbert_api.storage.connections import connect
from finbert_api.storage.selections import count_query, rows_query
from finbert_api.storage.tables import PredictionRow
from finbert_api.storage.transactions import reading, writing
from finbert_api.storage.writer import GroupWriter, Joined

# Of two thousand characters each, they take a few megabytes.
STEP_ROWS = 500

_COLUMNS = tuple(PredictionRow.__table__.columns)


class PredictionStore:
    """Where predictions are kept. Making one, and all it does but adding, needs an application context."""

    def __init__(self, metrics: Metrics | None = None) -> None:
        url = db.engine.url
        self._writer = GroupWriter(lambda: connect(url), metrics or Metrics())

    def add(self, prediction: Prediction) -> None:
        """Returns once the prediction is durable; those of concurrent callers share one commit.

        Raises StorageUnavailable when the row may not be stored.
        """
        self._writer.add(row_of(prediction))

    def join(self, prediction: Prediction) -> Joined:
        """Has a prediction written with those that join meanwhile, as soon as any of them is completed. Never waits."""
        return self._writer.join(row_of(prediction))

    def complete(self, joined: Joined, meanwhile: Callable[[], None]) -> None:
        """Returns once a prediction that joined is durable, `meanwhile` called on the way. Raises as `add` does."""
        self._writer.complete(joined, meanwhile)

    def add_all(self, predictions: Sequence[Prediction]) -> list[Exception | None]:
        """What kept each prediction from being stored, None where it is durable; all in one commit, if all can be."""
        return self._writer.add_all([row_of(prediction) for prediction in predictions])

    def get(self, request_id: UUID, visible_key_id: UUID | None) -> Prediction | None:
        """The prediction of that id, if it belongs to the given key (None: to any); else None."""
        query = _visible(select(PredictionRow).where(PredictionRow.request_id == request_id), visible_key_id)
        with reading() as session:
            row = session.scalars(query).one_or_none()
            return prediction_of(row) if row else None

    def page(self, limit: int, cursor: UUID | None, wanted: PredictionFilter, visible_key_id: UUID | None) -> Page:
        """Up to `limit` predictions before `cursor`, newest first, and the exact count of all that match.

        The page is read by key, not by offset: rows that are added meanwhile neither shift nor repeat it, and the cost
        does not grow with the table.
        """
        with reading() as session:
            rows = session.scalars(rows_query(wanted, visible_key_id, cursor, limit + 1))
            found = [prediction_of(row) for row in rows]
            total_count = int(session.scalars(count_query(wanted, visible_key_id)).one())
        items = found[:limit]
        return Page(
            items=items,
            next_cursor=items[-1].request_id if len(found) > limit else None,
            total_count=total_count,
        )

    def walk(self, wanted: PredictionFilter, visible_key_id: UUID | None) -> Iterator[list[Prediction]]:
        """All predictions that match, newest first, some at a time.

        Each step is a read of its own: however slowly they are taken, no transaction and no connection waits meanwhile.
        Raises StorageUnavailable, at any step.
        """
        cursor = None
        while True:
            # Plain rows, since objects of the session's own take as long again.
            query = rows_query(wanted, visible_key_id, cursor, STEP_ROWS).with_only_columns(*_COLUMNS)
            with reading() as session:
                found = [prediction_of(row) for row in session.execute(query)]
            yield found
            if len(found) < STEP_ROWS:
                return
            cursor = found[-1].request_id

    def remove(self, request_id: UUID, visible_key_id: UUID | None) -> str | None:
        """Removes the prediction of that id, if it belongs to the given key (None: to any), with all that hangs on it.

        Its text; None when there is no such prediction. Raises StorageUnavailable.
        """
        removal = delete(PredictionRow).where(PredictionRow.request_id == request_id).returning(PredictionRow.text)
        if visible_key_id is not None:
            removal = removal.where(PredictionRow.key_id == visible_key_id)
        with writing() as session:
            return session.scalars(removal).one_or_none()

    def is_connected(self) -> bool:
        """Whether the database answers and holds the tables."""
        try:
            with reading() as session:
                session.execute(text("SELECT FROM predictions LIMIT 0"))
        except StorageUnavailable:
            return False
        return True


def row_of(prediction: Prediction) -> tuple[object, ...]:
    """The values of a row, in the order of its columns."""
    scores = prediction.sentiment.scores
    return (
        prediction.request_id,
        prediction.key_id,
        prediction.text,
        prediction.source,
        prediction.label.value,
        scores[Label.POSITIVE],
        scores[Label.NEGATIVE],
        scores[Label.NEUTRAL],
        prediction.model_version,
        prediction.latency_ms,
        prediction.token_count,
        prediction.truncated,
        prediction.created_at,
    )


def _visible(query: Select[PredictionRow], visible_key_id: UUID | None) -> Select[PredictionRow]:
    return query if visible_key_id is None else query.where(PredictionRow.key_id == visible_key_id)


def prediction_of(row: PredictionRow | Row[*tuple[Any, ...]]) -> Prediction:
    """The prediction that a row holds."""
    scores = {
        Label.POSITIVE: row.score_positive,
        Label.NEGATIVE: row.score_negative,
        Label.NEUTRAL: row.score_neutral,
    }
    return Prediction(
        request_id=row.request_id,
        key_id=row.key_id,
        text=row.text,
        source=row.source,
        sentiment=Sentiment(label=Label(row.label), scores=scores),
        model_version=row.model_version,
        latency_ms=row.latency_ms,
        token_count=row.token_count,
        truncated=row.truncated,
    )
