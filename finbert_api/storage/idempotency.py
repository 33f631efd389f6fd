"""Idempotency keys in PostgreSQL: which prediction was made for one, and never another."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Delete, delete, func, insert, select, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert

from finbert_api.domain.prediction import Prediction
from finbert_api.storage.predictions import prediction_of, row_of
from finbert_api.storage.tables import IdempotencyKeyRow, PredictionRow
from finbert_api.storage.transactions import reading, writing

LIFETIME = timedelta(hours=24)
# More than come in with each new key, so that those that are over never pile up.
SWEPT_ROWS = 4


@dataclass(frozen=True, slots=True)
class IdempotencyClaim:
    """An Idempotency-Key of a client's and the body it came with, both as sha256."""

    key_id: UUID
    digest: bytes
    body_digest: bytes


class IdempotencyStore:
    """Where idempotency keys are kept for a day. Every method needs an application context."""

    def find(self, claim: IdempotencyClaim) -> tuple[Prediction, bytes] | None:
        """The prediction that was made for the claim's key, and the digest of the body that asked for it.

        None when there is none of the last 24 hours. Raises StorageUnavailable.
        """
        query = (
            select(PredictionRow, IdempotencyKeyRow.body_digest)
            .join(IdempotencyKeyRow, IdempotencyKeyRow.request_id == PredictionRow.request_id)
            .where(
                IdempotencyKeyRow.key_id == claim.key_id,
                IdempotencyKeyRow.digest == claim.digest,
                IdempotencyKeyRow.created_at > func.now() - LIFETIME,
            )
        )
        with reading() as session:
            found = session.execute(query).one_or_none()
            return (prediction_of(found.PredictionRow), found.body_digest) if found else None

    def add(self, claim: IdempotencyClaim, prediction: Prediction) -> bool:
        """Stores the prediction and its key in one transaction; False when another has the key, and nothing is stored.

        Who comes second waits for the first one's commit. Raises StorageUnavailable.
        """
        values = {"body_digest": claim.body_digest, "request_id": prediction.request_id, "created_at": func.now()}
        claimed = (
            upsert(IdempotencyKeyRow)
            .values(key_id=claim.key_id, digest=claim.digest, **values)
            .on_conflict_do_update(
                index_elements=[IdempotencyKeyRow.key_id, IdempotencyKeyRow.digest],
                set_=values,
                where=IdempotencyKeyRow.created_at <= func.now() - LIFETIME,
            )
            .returning(IdempotencyKeyRow.request_id)
        )
        with writing() as session:
            if session.scalars(claimed).one_or_none() is None:
                return False
            session.execute(_sweep())
            session.execute(insert(PredictionRow).values(row_of(prediction)))
        return True


def _sweep() -> Delete:
    """Removes some keys that are over, those that nobody else is at."""
    over = (
        select(IdempotencyKeyRow.key_id, IdempotencyKeyRow.digest)
        .where(IdempotencyKeyRow.created_at <= func.now() - LIFETIME)
        .order_by(IdempotencyKeyRow.created_at)
        .limit(SWEPT_ROWS)
        .with_for_update(skip_locked=True)
    )
    return delete(IdempotencyKeyRow).where(tuple_(IdempotencyKeyRow.key_id, IdempotencyKeyRow.digest).in_(over))
