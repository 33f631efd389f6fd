"""Which predictions are asked for, as queries that one index answers."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.sql import Select

from finbert_api.domain.identifiers import first_request_id
from finbert_api.domain.prediction import PredictionFilter
from finbert_api.storage.tables import PredictionCountRow, PredictionRow

# Bounds beyond every UUIDv7.
_LOWEST_ID = UUID(int=0)
_HIGHEST_ID = UUID(int=2**128 - 1)


def rows_query(
    wanted: PredictionFilter, visible_key_id: UUID | None, cursor: UUID | None, limit: int
) -> Select[PredictionRow]:
    """Up to `limit` rows that match, before the cursor, newest first, in the order of the one index made for them.

    The filters that lead the index are written as bounds of a row comparison and lead the order. Written as plain
    equalities they would let the planner walk the primary key instead, past every newer row that does not match: the
    page of a client that fell silent would grow with the table. The other filters are columns of the index too, so that
    it finds the ids, and the table is asked for those alone.
    """
    equal = _equalities(wanted, visible_key_id)
    leading = [name for name in ("key_id", _leader(equal)) if name in equal]
    columns: list[Any] = [*(getattr(PredictionRow, name) for name in leading), PredictionRow.request_id]
    values = [equal.pop(name) for name in leading]
    lowest, highest = _bounds(wanted)
    bounds = [
        tuple_(*columns) >= tuple_(*values, lowest),
        tuple_(*columns) < tuple_(*values, min(cursor or _HIGHEST_ID, highest)),
    ]
    if "source" in leading:
        bounds.append(PredictionRow.source.is_not(None))  # by this the planner sees that the partial index will do
    order = [column.desc() for column in columns]
    if not equal:
        return select(PredictionRow).where(*bounds).order_by(*order).limit(limit)
    ids = select(PredictionRow.request_id).where(*bounds).filter_by(**equal).order_by(*order).limit(limit)
    newest_first = PredictionRow.request_id.desc()
    return select(PredictionRow).where(PredictionRow.request_id.in_(ids)).order_by(newest_first)


def count_query(wanted: PredictionFilter, visible_key_id: UUID | None) -> Select[int]:
    """Exactly how many predictions match: from the counts that are kept, where they tell it, else from an index."""
    equal = _equalities(wanted, visible_key_id)
    if equal.keys() <= {"key_id", "label"} and wanted.since is None and wanted.until is None:
        return select(func.coalesce(func.sum(PredictionCountRow.predictions), 0)).filter_by(**equal)
    return select(func.count()).select_from(PredictionRow).filter_by(**equal).where(*_made_between(wanted))


def _equalities(wanted: PredictionFilter, visible_key_id: UUID | None) -> dict[str, object]:
    """The columns that must have one value, with that value."""
    equal = {
        "key_id": visible_key_id,
        "label": wanted.label and wanted.label.value,
        "source": wanted.source,
        "model_version": wanted.model_version,
    }
    return {name: value for name, value in equal.items() if value is not None}


def _leader(equal: dict[str, object]) -> str:
    """The column that, beside the key, leads the index of these filters; those after it in this order it holds too."""
    return next((name for name in ("source", "model_version", "label") if name in equal), "")


def _made_between(wanted: PredictionFilter) -> list[ColumnElement[bool]]:
    lowest, highest = _bounds(wanted)
    return [
        *([PredictionRow.request_id >= lowest] if wanted.since else []),
        *([PredictionRow.request_id < highest] if wanted.until else []),
    ]


def _bounds(wanted: PredictionFilter) -> tuple[UUID, UUID]:
    """The ids between which `since` and `until` lie: an id carries the moment at which its prediction was made."""
    return (
        first_request_id(wanted.since) if wanted.since else _LOWEST_ID,
        first_request_id(wanted.until) if wanted.until else _HIGHEST_ID,
    )
