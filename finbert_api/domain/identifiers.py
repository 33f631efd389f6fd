"""Time-ordered ids: their order is the order in which predictions were made."""

from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

_TIMESTAMP_SHIFT = 80  # RFC 9562, section 5.7: the first 48 of the 128 bits are the Unix time in milliseconds


def new_request_id() -> UUID:
    """A fresh UUIDv7, larger than every one this process made before."""
    request_id: UUID = uuid7()
    return request_id


def created_at(request_id: UUID) -> datetime:
    """The moment a UUIDv7 was made, in UTC, to the millisecond."""
    return datetime.fromtimestamp((request_id.int >> _TIMESTAMP_SHIFT) / 1000, tz=UTC)
