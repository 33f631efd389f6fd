"""Analytics in PostgreSQL: read from the rollups that triggers keep, never from the predictions themselves."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flask_sqlalchemy.session import Session
from sqlalchemy import ColumnElement, Row, Select, and_, false, func, or_, select
from sqlalchemy.orm import scoped_session

from finbert_api.domain.analytics import MOST_SOURCES, Agreement, Bucket, Figures, Window
from finbert_api.domain.sentiment import Label
from finbert_api.storage.tables import FeedbackRollupRow, PredictionRollupRow, SourceRollupRow
from finbert_api.storage.transactions import reading

# So many rows of sums by source are summed up within 200 ms; a million would take seconds.
MOST_SOURCE_SUMS = 50_000

Rollup = type[PredictionRollupRow] | type[SourceRollupRow]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which predictions the figures are of; None: of every key, source, version."""

    window: Window
    visible_key_id: UUID | None
    source: str | None = None
    model_version: str | None = None


class AnalyticsStore:
    """The sums that the rollups hold. Every method needs an application context and may raise StorageUnavailable."""

    def by_version_and_source(
        self, selection: Selection
    ) -> tuple[Mapping[str, Figures], Mapping[str, Figures] | None, int | None]:
        """The figures of each version, those of the most frequent sources without latencies, and how many sources.

        None where sources are too many to be summed up.
        """
        condition = _within(SourceRollupRow, selection)
        sources = _figures_query(SourceRollupRow, condition, SourceRollupRow.source, latencies=False)
        predictions = _predictions(SourceRollupRow)
        most_frequent = sources.add_columns(func.count().over()).order_by(predictions.desc(), SourceRollupRow.source)
        with reading() as session:
            by_version = _by_version(session, selection)
            sums = select(SourceRollupRow.source).where(condition).limit(MOST_SOURCE_SUMS + 1).subquery()
            if session.scalars(select(func.count()).select_from(sums)).one() > MOST_SOURCE_SUMS:
                return by_version, None, None
            rows = session.execute(most_frequent.limit(MOST_SOURCES)).all()
        return by_version, {row[0]: _figures(row) for row in rows}, rows[0][-1] if rows else 0

    def by_version(self, selection: Selection) -> tuple[Mapping[str, Figures], Mapping[str, Agreement]]:
        """The figures of each version, and how far people agreed with it, of one moment."""
        with reading() as session:
            return _by_version(session, selection), _agreements(session, selection)

    def by_start(self, selection: Selection, bucket: Bucket) -> Mapping[datetime, Figures]:
        """The figures of each bucket of the window, by its start, without those that hold no predictions."""
        rollup = _rollup(selection)
        condition = _in_buckets(rollup, bucket, selection.window, selection)
        query = _figures_query(rollup, condition, rollup.start)
        with reading() as session:
            return {row.start: _figures(row) for row in session.execute(query)}

    def agreements(self, selection: Selection) -> Mapping[str, Agreement]:
        """How far people agreed with each version, by its name."""
        with reading() as session:
            return _agreements(session, selection)


def _by_version(session: scoped_session[Session], selection: Selection) -> Mapping[str, Figures]:
    rollup = _rollup(selection)
    query = _figures_query(rollup, _within(rollup, selection), rollup.model_version).order_by(rollup.model_version)
    return {row.model_version: _figures(row) for row in session.execute(query)}


def _agreements(session: scoped_session[Session], selection: Selection) -> Mapping[str, Agreement]:
    groups = (FeedbackRollupRow.model_version, FeedbackRollupRow.said, FeedbackRollupRow.predicted)
    answers = func.sum(FeedbackRollupRow.answers)
    query = select(*groups, answers).where(_within(FeedbackRollupRow, selection)).group_by(*groups).having(answers != 0)
    confusions: dict[str, dict[tuple[Label, Label], int]] = defaultdict(dict)
    for version, said, predicted, number in session.execute(query.order_by(*groups)):
        confusions[version][Label(said), Label(predicted)] = int(number)
    return {version: Agreement(confusion) for version, confusion in confusions.items()}


def _rollup(selection: Selection) -> Rollup:
    return PredictionRollupRow if selection.source is None else SourceRollupRow


def _predictions(rollup: Rollup) -> ColumnElement[Any]:
    return func.sum(rollup.positive + rollup.negative + rollup.neutral)


def _figures_query(
    rollup: Rollup, condition: ColumnElement[bool], group: Any, *, latencies: bool = True
) -> Select[Any]:
    """The group, then the count and the sum of confidences of each label, then the latencies and their first class."""
    sums: list[ColumnElement[Any]] = [
        func.sum(getattr(rollup, name)) for label in Label for name in (label.value, f"confidence_{label.value}")
    ]
    if latencies:
        counted: ColumnElement[Any] = func.sum_latencies(rollup.latencies)
        sums += [func.array_lower(counted, 1), counted]
    return select(group, *sums).where(condition).group_by(group).having(_predictions(rollup) != 0)


def _figures(row: Row[Any]) -> Figures:
    _, positive, positive_sum, negative, negative_sum, neutral, neutral_sum, *rest = tuple(row)
    latencies = {}
    if len(rest) > 1:
        first, counted = rest
        latencies = {first + place: number for place, number in enumerate(counted) if number}
    return Figures(
        {Label.POSITIVE: int(positive), Label.NEGATIVE: int(negative), Label.NEUTRAL: int(neutral)},
        {Label.POSITIVE: positive_sum, Label.NEGATIVE: negative_sum, Label.NEUTRAL: neutral_sum},
        latencies,
    )


def _within(table: Rollup | type[FeedbackRollupRow], selection: Selection) -> ColumnElement[bool]:
    """The rows of a selection whose window is one of whole hours: of days as far as there are whole ones in it."""
    return or_(false(), *(_in_buckets(table, bucket, part, selection) for bucket, part in selection.window.parts()))


def _in_buckets(
    table: Rollup | type[FeedbackRollupRow], bucket: Bucket, window: Window, selection: Selection
) -> ColumnElement[bool]:
    conditions = [table.bucket == bucket.value]
    if window.since:
        conditions.append(table.start >= window.since)
    if window.until:
        conditions.append(table.start < window.until)
    if selection.visible_key_id is not None:
        conditions.append(table.key_id == selection.visible_key_id)
    if selection.model_version is not None:
        conditions.append(table.model_version == selection.model_version)
    if selection.source is not None and table is SourceRollupRow:
        conditions.append(SourceRollupRow.source == selection.source)
    return and_(*conditions)
