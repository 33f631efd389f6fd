"""Predictions in PostgreSQL: one by one in, by id or by page out."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import func, select, text, tuple_
from sqlalchemy.sql import Select

from finbert_api.domain.errors import StorageUnavailable
from finbert_api.domain.prediction import Page, Prediction
from finbert_api.domain.sentiment import Label, Sentiment
from finbert_api.extensions import db
from finbert_api.storage.connections import connect
from finbert_api.storage.tables import PredictionCountRow, PredictionRow
from finbert_api.storage.transactions import reading
from finbert_api.storage.writer import GroupWriter

# Bounds beyond every UUIDv7.
_LOWEST_ID = UUID(int=0)
_HIGHEST_ID = UUID(int=2**128 - 1)


class PredictionStore:
    """Where predictions are kept. Every method needs an application context."""

    def __init__(self) -> None:
        self._writer = GroupWriter(lambda: connect(db.engine.url))

    def add(self, prediction: Prediction) -> None:
        """Returns once the prediction is durable; those of concurrent callers share one commit.

        Raises StorageUnavailable when the row may not be stored.
        """
        self._writer.add(_row(prediction))

    def get(self, request_id: UUID, visible_key_id: UUID | None) -> Prediction | None:
        """The prediction of that id, if it belongs to the given key (None: to any); else None."""
        query = _visible(select(PredictionRow).where(PredictionRow.request_id == request_id), visible_key_id)
        with reading() as session:
            row = session.scalars(query).one_or_none()
            return _prediction(row) if row else None

    def page(self, limit: int, cursor: UUID | None, label: Label | None, visible_key_id: UUID | None) -> Page:
        """Up to `limit` predictions before `cursor`, newest first, and the exact count of all that match.

        The page is read by key, not by offset: rows that are added meanwhile neither shift nor repeat it, and the cost
        does not grow with the table.
        """
        filters = {
            name: value
            for name, value in (("key_id", visible_key_id), ("label", label and label.value))
            if value is not None
        }
        rows = _page_query(filters, cursor).limit(limit + 1)
        count = select(func.coalesce(func.sum(PredictionCountRow.predictions), 0)).filter_by(**filters)
        with reading() as session:
            found = [_prediction(row) for row in session.scalars(rows)]
            total_count = int(session.scalars(count).one())
        items = found[:limit]
        return Page(
            items=items,
            next_cursor=items[-1].request_id if len(found) > limit else None,
            total_count=total_count,
        )

    def is_connected(self) -> bool:
        """Whether the database answers and holds the tables."""
        try:
            with reading() as session:
                session.execute(text("SELECT FROM predictions LIMIT 0"))
        except StorageUnavailable:
            return False
        return True


def _row(prediction: Prediction) -> tuple[object, ...]:
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


def _page_query(filters: Mapping[str, object], cursor: UUID | None) -> Select[PredictionRow]:
    """The rows that match, before the cursor, newest first, in the order of the one index made for these filters.

    The filters are written as bounds of a row comparison and lead the order. Written as plain equalities they would let
    the planner walk the primary key instead, past every newer row that does not match: the page of a client that fell
    silent would grow with the table.
    """
    columns = [*(getattr(PredictionRow, name) for name in filters), PredictionRow.request_id]
    values = list(filters.values())
    return (
        select(PredictionRow)
        .where(tuple_(*columns) > tuple_(*values, _LOWEST_ID))
        .where(tuple_(*columns) < tuple_(*values, cursor or _HIGHEST_ID))
        .order_by(*(column.desc() for column in columns))
    )


def _visible(query: Select[PredictionRow], visible_key_id: UUID | None) -> Select[PredictionRow]:
    return query if visible_key_id is None else query.where(PredictionRow.key_id == visible_key_id)


def _prediction(row: PredictionRow) -> Prediction:
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
