"""The tables. The migrations make them; `flask db check` in the tests proves that both agree."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, LargeBinary, Numeric, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from finbert_api.domain.sentiment import Label
from finbert_api.extensions import Model

LABEL_CHECK = f"label IN ({', '.join(repr(label.value) for label in Label)})"


class ApiKeyRow(Model):
    """A key: sha256 of its secret, never the secret. A key that signed predictions is revoked, never deleted."""

    __tablename__ = "api_keys"

    key_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(10))
    digest: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    __table_args__ = (CheckConstraint("role IN ('client', 'admin')", name="api_keys_role_check"),)


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
