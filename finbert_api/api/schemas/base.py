"""What the bodies and queries of all routes share."""

from marshmallow import Schema, fields

from finbert_api.api.fields import CanonicalUuid, PlainInteger, StorableString

LARGEST_PAGE = 100
DEFAULT_PAGE = 20
EXAMPLE_ID = "0199d6f2-3c5e-7a41-b1d2-5f0e8c9a7b31"
EXAMPLE_TEXT = "The company beat earnings expectations and raised full-year guidance."
EXAMPLE_TIME = "2025-10-12T05:43:43.454Z"  # the time in EXAMPLE_ID
EXAMPLE_MODEL_VERSION = "finbert-compact-1.1.0"


class RequestSchema(Schema):
    """A body or query; what it does not name is refused."""

    error_messages = {  # noqa: RUF012 - marshmallow's own attribute
        "unknown": "is not a known field",
        "type": "must be a JSON object",
    }


def text_field(longest: int, description: str) -> StorableString:
    """The text that a request is about."""
    return StorableString(
        required=True,
        shortest=1,
        longest=longest,
        blank=False,
        metadata={"description": f"{description}; not blank, without NUL characters", "example": EXAMPLE_TEXT},
        error_messages={"required": "is missing", "null": "must not be null"},
    )


def limit_field(what: str) -> PlainInteger:
    """How many of these a page may have."""
    return PlainInteger(
        lowest=1,
        highest=LARGEST_PAGE,
        load_default=DEFAULT_PAGE,
        metadata={"description": f"How many {what} at most", "example": DEFAULT_PAGE},
    )


def cursor_field() -> CanonicalUuid:
    """Where a page begins."""
    return CanonicalUuid(
        load_default=None,
        metadata={
            "description": "The `next_cursor` of the page before; without it, the first page",
            "example": EXAMPLE_ID,
        },
    )


def next_cursor_field() -> fields.UUID:
    """Where the next page begins."""
    return fields.UUID(
        required=True,
        allow_none=True,
        metadata={"description": "Pass it as `cursor` for the next page; null on the last page", "example": EXAMPLE_ID},
    )
