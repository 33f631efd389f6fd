"""API keys in PostgreSQL, by the digest of their secret."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select, update

from finbert_api.domain.caller import ApiKey, Caller, Role
from finbert_api.storage.tables import ApiKeyRow
from finbert_api.storage.transactions import reading, writing


class ApiKeyStore:
    """Where keys are kept. Every method needs an application context."""

    def add(self, key: ApiKey, digest: bytes) -> None:
        """Stores a new key under the sha256 of its secret."""
        with writing() as session:
            session.add(
                ApiKeyRow(
                    key_id=key.key_id, name=key.name, role=key.role.value, digest=digest, created_at=key.created_at
                )
            )

    def all(self) -> list[ApiKey]:
        """Every key, oldest first."""
        with reading() as session:
            rows = session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.created_at, ApiKeyRow.key_id))
            return [
                ApiKey(
                    key_id=row.key_id,
                    name=row.name,
                    role=Role(row.role),
                    created_at=row.created_at,
                    revoked_at=row.revoked_at,
                )
                for row in rows
            ]

    def find(self, digest: bytes) -> Caller | None:
        """The caller with an unrevoked key of this digest; None when there is none."""
        query = select(ApiKeyRow.key_id, ApiKeyRow.role).where(
            ApiKeyRow.digest == digest, ApiKeyRow.revoked_at.is_(None)
        )
        with reading() as session:
            found = session.execute(query).one_or_none()
        return Caller(key_id=found.key_id, role=Role(found.role)) if found else None

    def revoke(self, key_id: UUID) -> bool:
        """Ends a key for all who ask from now on; False when no unrevoked key has that id."""
        ended = (
            update(ApiKeyRow)
            .where(ApiKeyRow.key_id == key_id, ApiKeyRow.digest.is_not(None), ApiKeyRow.revoked_at.is_(None))
            .values(revoked_at=datetime.now(UTC))
            .returning(ApiKeyRow.key_id)
        )
        with writing() as session:
            return session.scalars(ended).one_or_none() is not None
