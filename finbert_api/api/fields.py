"""Marshmallow fields that are stricter than the stock ones, each message in words a client can act on."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from marshmallow import ValidationError, fields

_CANONICAL_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")


class StorableString(fields.String):
    """A string of at most `longest` characters that PostgreSQL can hold: no NUL, no half of a surrogate pair."""

    def __init__(self, *, longest: int, shortest: int = 0, blank: bool = True, **kwargs: Any) -> None:
        metadata = {"maxLength": longest, **({"minLength": shortest} if shortest else {})} | kwargs.pop("metadata", {})
        super().__init__(metadata=metadata, **kwargs)
        self._longest = longest
        self._blank = blank

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError("must be a string")
        if not self._blank and not value.strip():
            raise ValidationError("must not be blank")
        if len(value) > self._longest:
            raise ValidationError(f"must be at most {self._longest} characters, is {len(value)}")
        if "\0" in value:
            raise ValidationError("must not hold NUL characters")
        if _SURROGATE.search(value):
            raise ValidationError("must not hold half of a surrogate pair")
        return value


class PlainInteger(fields.Integer):
    """A whole number from `lowest` to `highest`, in ASCII digits alone: no sign, space, underscore or other script."""

    def __init__(self, *, lowest: int, highest: int, **kwargs: Any) -> None:
        metadata = {"minimum": lowest, "maximum": highest} | kwargs.pop("metadata", {})
        super().__init__(metadata=metadata, **kwargs)
        self._lowest = lowest
        self._highest = highest

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", str(value)) or not self._lowest <= int(value) <= self._highest:
            raise ValidationError(f"must be a whole number from {self._lowest} to {self._highest}")
        return int(value)


class CanonicalUuid(fields.UUID):
    """A UUID in its canonical form, 8-4-4-4-12 hexadecimal digits."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> UUID:
        if not isinstance(value, str) or not _CANONICAL_UUID.fullmatch(value):
            raise ValidationError("must be a request_id")
        return UUID(value)


class UtcMilliseconds(fields.DateTime):
    """A moment as RFC 3339 in UTC with milliseconds and Z."""

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
