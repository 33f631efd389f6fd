"""Time-ordered ids: their order is the order in which predictions were made."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMESTAMP_SHIFT = 80  # RFC 9562, section 5.7: the first 48 of the 128 bits are the Unix time in milliseconds


def new_request_id() -> UUID:
    """A fresh UUIDv7, larger than every one this process made before."""
    request_id: UUID = uuid7()
    return request_id


def created_at(request_id: UUID) -> datetime:
    """The moment a UUIDv7 was made, in UTC, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=request_id.int >> _TIMESTAMP_SHIFT)


def first_request_id(moment: datetime) -> UUID:
    """The lowest UUID that a request at this moment or later can have: `created_at` of all from it on is not before it.

    A moment before 1970 counts as 1970.
    """
    milliseconds = -((_EPOCH - moment) // timedelta(milliseconds=1))  # rounded up
    return UUID(int=max(0, milliseconds) << _TIMESTAMP_SHIFT)
