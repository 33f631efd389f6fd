"""Marshmallow fields that are stricter than the stock ones, each message in words a client can act on."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from marshmallow import Schema, ValidationError, fields

_CANONICAL_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_RFC_3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}):([0-5][0-9]|60)(?:\.([0-9]+))?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_NO_MOMENT = "must be a time with its zone, such as 2026-01-31T09:30:00Z"
_SURROGATE = re.compile("[\ud800-\udfff]")
# For the document alone: what a string is, in the regular expressions of JSON Schema.
_NO_NUL = r"^[^\x00]*$"
_NOT_BLANK_NO_NUL = r"^[^\x00]*[^\s\x00][^\x00]*$"


class StorableString(fields.String):
    """A string of at most `longest` characters that PostgreSQL can hold: no NUL, no half of a surrogate pair."""

    def __init__(self, *, longest: int, shortest: int = 0, blank: bool = True, **kwargs: Any) -> None:
        described = {"maxLength": longest, "pattern": _NO_NUL if blank else _NOT_BLANK_NO_NUL}
        metadata = described | ({"minLength": shortest} if shortest else {}) | kwargs.pop("metadata", {})
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
            raise ValidationError("must be a UUID in its canonical form")
        return UUID(value)


class UtcMilliseconds(fields.DateTime):
    """A moment as RFC 3339 in UTC with milliseconds and Z."""

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else utc_milliseconds(value)


class Moment(fields.DateTime):
    """A moment as RFC 3339, with Z or the offset from UTC; digits after the microseconds are left out."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> datetime:
        parts = _RFC_3339.fullmatch(value) if isinstance(value, str) else None
        if parts is None:
            raise ValidationError(_NO_MOMENT)
        day, minute, second, fraction, zone = parts.groups("")
        try:
            moment = datetime.fromisoformat(f"{day}T{minute}:00{zone.upper()}")
        except ValueError:
            raise ValidationError(_NO_MOMENT) from None
        try:
            # A leap second is the first one of the next minute.
            moment += timedelta(seconds=int(second), microseconds=int(fraction[:6].ljust(6, "0")))
            return moment.astimezone(UTC)
        except OverflowError:  # by its offset, in a year before the first or after the last
            return datetime.min.replace(tzinfo=UTC) if moment.year == 1 else datetime.max.replace(tzinfo=UTC)


class Attempts(fields.List[Any]):
    """A list of up to `most` items of a schema, at least one, in which an item may be invalid.

    Such a one becomes the ValidationError that says why, and the others are loaded all the same; so the document calls
    it valid too.
    """

    def __init__(self, schema: type[Schema], documented_as: str, *, most: int, **kwargs: Any) -> None:
        metadata = {"minItems": 1, "maxItems": most} | kwargs.pop("metadata", {})
        item = {"anyOf": [{"$ref": f"#/components/schemas/{documented_as}"}, {}]}
        super().__init__(fields.Raw(metadata=item), metadata=metadata, **kwargs)
        self._schema = schema()
        self._most = most

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[Any]:
        if not isinstance(value, list):
            raise ValidationError("must be a list")
        if not 1 <= len(value) <= self._most:
            raise ValidationError(f"must have 1 to {self._most} items, has {len(value)}")
        return [self._attempt(item) for item in value]

    def _attempt(self, item: object) -> Any:
        try:
            return self._schema.load(item)  # type: ignore[arg-type]  # what is no mapping, it refuses itself
        except ValidationError as error:
            return error


def utc_milliseconds(moment: datetime) -> str:
    """A moment of UTC as RFC 3339 with milliseconds and Z."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
