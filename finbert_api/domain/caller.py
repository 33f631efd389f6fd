"""Who calls, and what they may see."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

# The admin key that the setting API_KEY gives: its row is made by the first migration and holds no digest, so that
# changing the setting is all it takes to change the key.
BOOTSTRAP_KEY_ID = UUID(int=0)
LONGEST_KEY_NAME = 100


class Role(StrEnum):
    """What a key may do: a client sees its own predictions, an admin everybody's and the keys."""

    CLIENT = "client"
    ADMIN = "admin"


class Tier(StrEnum):
    """How much a key may ask for: premium keys have higher rate limits."""

    STANDARD = "standard"
    PREMIUM = "premium"


@dataclass(frozen=True, slots=True)
class Caller:
    """The key behind a request."""

    key_id: UUID
    role: Role
    tier: Tier = Tier.STANDARD

    @property
    def visible_key_id(self) -> UUID | None:
        """The key whose predictions this caller may read; None means every key's."""
        return None if self.role is Role.ADMIN else self.key_id


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key as it is listed: never with its secret, which exists in the client's hands alone.

    `last_used_at` is right to some seconds: uses are gathered before they are written.
    """

    key_id: UUID
    name: str
    role: Role
    tier: Tier
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class ApiKeyPage:
    """Keys newest first; `next_cursor` is None on the last page."""

    items: list[ApiKey]
    next_cursor: UUID | None
