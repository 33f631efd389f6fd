"""The tables. The migrations make them; `flask db check` in the tests proves that both agree."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    Numeric,
    String,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from finbert_api.domain.caller import LONGEST_KEY_NAME
from finbert_api.domain.sentiment import Label
from finbert_api.extensions import Model

LABEL_CHECK = f"label IN ({', '.join(repr(label.value) for label in Label)})"


def _filter_index(name: str, *columns: str, held: tuple[str, ...], where: str | None = None) -> Index:
    return Index(
        f"predictions_{name}_request_id",
        *columns,
        "request_id",
        postgresql_include=held,
        postgresql_where=None if where is None else text(where),
    )


class ApiKeyRow(Model):
    """A key: sha256 of its secret, never the secret. A key that signed predictions is revoked, never deleted."""

    __tablename__ = "api_keys"

    key_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(LONGEST_KEY_NAME))
    role: Mapped[str] = mapped_column(String(10))
    tier: Mapped[str] = mapped_column(String(10), server_default="standard")
    digest: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        CheckConstraint("role IN ('client', 'admin')", name="api_keys_role_check"),
        CheckConstraint("tier IN ('standard', 'premium')", name="api_keys_tier_check"),
    )


class PredictionRow(Model):
    """A prediction. `request_id` is a UUIDv7, so the primary key is the order of pages too."""

    __tablename__ = "predictions"

    request_id: Mapped[UUID] = mapped_column(primary_key=True)
    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.key_id"))
    text: Mapped[str] = mapped_column(Text)
    source: Mapped[str | None] = mapped_column(String(100))
    label: Mapped[str] = mapped_column(String(8))
    score_positive: Mapped[Decimal] = mapped_column(Numeric(6, 4))
    score_negative: Mapped[Decimal] = mapped_column(Numeric(6, 4))
    score_neutral: Mapped[Decimal] = mapped_column(Numeric(6, 4))
    model_version: Mapped[str] = mapped_column(String(100))
    latency_ms: Mapped[float]
    token_count: Mapped[int]
    truncated: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        CheckConstraint(LABEL_CHECK, name="predictions_label_check"),
        # One index for each shape of page: all, by label, of one key, of one key by label.
        Index("predictions_label_request_id", "label", "request_id"),
        Index("predictions_key_request_id", "key_id", "request_id"),
        Index("predictions_key_label_request_id", "key_id", "label", "request_id"),
        # And by the other filters, each with all that those after it ask for (storage/selections.py).
        _filter_index("source", "source", held=("label", "model_version"), where="source IS NOT NULL"),
        _filter_index("key_source", "key_id", "source", held=("label", "model_version"), where="source IS NOT NULL"),
        _filter_index("version", "model_version", held=("label",)),
        _filter_index("key_version", "key_id", "model_version", held=("label",)),
    )


class PredictionCountRow(Model):
    """How many predictions a key has by label, kept by triggers in the transaction that adds or removes them.

    A count is the sum over its shards: writers in different connections update different rows and do not wait for
    each other. One shard may be negative, since a row can be removed through another connection than it came by.
    """

    __tablename__ = "prediction_counts"

    key_id: Mapped[UUID] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(String(8), primary_key=True)
    shard: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    predictions: Mapped[int] = mapped_column(BigInteger)


class IdempotencyKeyRow(Model):
    """An Idempotency-Key of a client, and which prediction was made for it; both as digests, never as they were sent.

    Its row and that of its prediction come in one transaction, and the prediction takes it along when it goes.
    """

    __tablename__ = "idempotency_keys"

    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.key_id"), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    body_digest: Mapped[bytes] = mapped_column(LargeBinary)
    # Deferred: the key is claimed before its prediction is inserted.
    request_id: Mapped[UUID] = mapped_column(
        ForeignKey("predictions.request_id", ondelete="CASCADE", deferrable=True, initially="DEFERRED")
    )
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        Index("idempotency_keys_request_id", "request_id"),
        Index("idempotency_keys_created_at", "created_at"),
    )


class FeedbackRow(Model):
    """What one key says the label of a prediction should be; it goes with the prediction."""

    __tablename__ = "prediction_feedback"

    request_id: Mapped[UUID] = mapped_column(ForeignKey("predictions.request_id", ondelete="CASCADE"), primary_key=True)
    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.key_id"), primary_key=True)
    label: Mapped[str] = mapped_column(String(8))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    __table_args__ = (CheckConstraint(LABEL_CHECK, name="prediction_feedback_label_check"),)


class _RollupRow(Model):
    """Sums over the predictions of an hour or a day, kept by triggers and sharded as prediction_counts is.

    Latencies are counted by class (domain/analytics.py); the array's lower bound is its first class.
    """

    __abstract__ = True

    bucket: Mapped[str] = mapped_column(String(4), primary_key=True)
    start: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    key_id: Mapped[UUID] = mapped_column(primary_key=True)
    model_version: Mapped[str] = mapped_column(String(100), primary_key=True)
    shard: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    positive: Mapped[int] = mapped_column(BigInteger)
    confidence_positive: Mapped[Decimal] = mapped_column(Numeric(20, 4))
    negative: Mapped[int] = mapped_column(BigInteger)
    confidence_negative: Mapped[Decimal] = mapped_column(Numeric(20, 4))
    neutral: Mapped[int] = mapped_column(BigInteger)
    confidence_neutral: Mapped[Decimal] = mapped_column(Numeric(20, 4))
    latencies: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))


class PredictionRollupRow(_RollupRow):
    """The sums over all predictions, by key and version."""

    __tablename__ = "prediction_rollup"


class SourceRollupRow(_RollupRow):
    """The sums over those that have a source, by it too: apart, so that many sources make nothing else slow."""

    __tablename__ = "source_rollup"

    source: Mapped[str] = mapped_column(String(100), primary_key=True)


class FeedbackRollupRow(Model):
    """How often people said a label of what a model predicted, by the prediction's hour or day and its key."""

    __tablename__ = "feedback_rollup"

    bucket: Mapped[str] = mapped_column(String(4), primary_key=True)
    start: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    key_id: Mapped[UUID] = mapped_column(primary_key=True)
    model_version: Mapped[str] = mapped_column(String(100), primary_key=True)
    predicted: Mapped[str] = mapped_column(String(8), primary_key=True)
    said: Mapped[str] = mapped_column(String(8), primary_key=True)
    shard: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    answers: Mapped[int] = mapped_column(BigInteger)
