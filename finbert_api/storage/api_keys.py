"""API keys in PostgreSQL, by the digest of their secret."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select, update

from finbert_api.domain.caller import ApiKey, ApiKeyPage, Caller, Role, Tier
from finbert_api.storage.tables import ApiKeyRow
from finbert_api.storage.transactions import reading, writing


class ApiKeyStore:
    """Where keys are kept. Every method needs an application context."""

    def add(self, key: ApiKey, digest: bytes) -> None:
        """Stores a new key under the sha256 of its secret."""
        with writing() as session:
            session.add(
                ApiKeyRow(
                    key_id=key.key_id,
                    name=key.name,
                    role=key.role.value,
                    tier=key.tier.value,
                    digest=digest,
                    created_at=key.created_at,
                )
            )

    def all(self) -> list[ApiKey]:
        """Every key, oldest first."""
        with reading() as session:
            rows = session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.created_at, ApiKeyRow.key_id))
            return [_key(row) for row in rows]

    def page(self, limit: int, cursor: UUID | None) -> ApiKeyPage:
        """Up to `limit` keys before `cursor`, newest first by their ids; the bootstrap key is the last."""
        query = select(ApiKeyRow).order_by(ApiKeyRow.key_id.desc()).limit(limit + 1)
        if cursor is not None:
            query = query.where(ApiKeyRow.key_id < cursor)
        with reading() as session:
            found = [_key(row) for row in session.scalars(query)]
        items = found[:limit]
        return ApiKeyPage(items=items, next_cursor=items[-1].key_id if len(found) > limit else None)

    def find(self, digest: bytes) -> Caller | None:
        """The caller with an unrevoked key of this digest; None when there is none."""
        return self._find(ApiKeyRow.digest == digest)

    def find_by_id(self, key_id: UUID) -> Caller | None:
        """The caller with an unrevoked key of this id; None when there is none."""
        return self._find(ApiKeyRow.key_id == key_id)

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

    def _find(self, condition: ColumnElement[bool]) -> Caller | None:
        query = select(ApiKeyRow.key_id, ApiKeyRow.role, ApiKeyRow.tier).where(
            condition, ApiKeyRow.revoked_at.is_(None)
        )
        with reading() as session:
            found = session.execute(query).one_or_none()
        return Caller(key_id=found.key_id, role=Role(found.role), tier=Tier(found.tier)) if found else None


def _key(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        key_id=row.key_id,
        name=row.name,
        role=Role(row.role),
        tier=Tier(row.tier),
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
