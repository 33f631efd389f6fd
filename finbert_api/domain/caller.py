"""Who calls, and what they may see."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

# The admin key that the setting API_KEY gives: its row is made by the first migration and holds no digest, so that
# changing the setting is all it takes to change the key.
BOOTSTRAP_KEY_ID = UUID(int=0)


class Role(StrEnum):
    """What a key may do: a client sees its own predictions, an admin everybody's."""

    CLIENT = "client"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """The key behind a request."""

    key_id: UUID
    role: Role

    @property
    def visible_key_id(self) -> UUID | None:
        """The key whose predictions this caller may read; None means every key's."""
        return None if self.role is Role.ADMIN else self.key_id


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key as it is listed: never with its secret, which exists in the client's hands alone."""

    key_id: UUID
    name: str
    role: Role
    created_at: datetime
    revoked_at: datetime | None
