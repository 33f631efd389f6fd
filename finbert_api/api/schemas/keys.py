"""The bodies and queries of keys and tokens, described for their readers."""

from marshmallow import Schema, fields

from finbert_api.api.fields import StorableString, UtcMilliseconds
from finbert_api.api.schemas.base import (
    EXAMPLE_ID,
    EXAMPLE_TIME,
    RequestSchema,
    cursor_field,
    limit_field,
    next_cursor_field,
)
from finbert_api.domain.caller import LONGEST_KEY_NAME, Role, Tier


class NewKeyRequestSchema(RequestSchema):
    """A key to create."""

    name = StorableString(
        required=True,
        shortest=1,
        longest=LONGEST_KEY_NAME,
        blank=False,
        metadata={
            "description": "Who the key is for, in the admin's own words; not blank, without NUL characters",
            "example": "newsroom",
        },
        error_messages={"required": "is missing", "null": "must not be null"},
    )
    role = fields.Enum(
        Role,
        by_value=True,
        load_default=Role.CLIENT,
        metadata={"description": "A client sees its own predictions, an admin everybody's and the keys"},
        error_messages={"unknown": "must be one of: {choices}", "null": "must not be null"},
    )
    tier = fields.Enum(
        Tier,
        by_value=True,
        load_default=Tier.STANDARD,
        metadata={"description": "Premium keys have ten times the rate limits"},
        error_messages={"unknown": "must be one of: {choices}", "null": "must not be null"},
    )


class KeySchema(Schema):
    """A key, without its secret."""

    key_id = fields.UUID(required=True, metadata={"description": "The key's id", "example": EXAMPLE_ID})
    name = fields.String(required=True, metadata={"description": "Who the key is for", "example": "newsroom"})
    role = fields.Enum(
        Role, by_value=True, required=True, metadata={"description": "What the key may do", "example": "client"}
    )
    tier = fields.Enum(
        Tier,
        by_value=True,
        required=True,
        metadata={"description": "Premium keys have ten times the rate limits", "example": "standard"},
    )
    created_at = UtcMilliseconds(
        required=True, metadata={"description": "When it was created, in UTC", "example": EXAMPLE_TIME}
    )
    last_used_at = UtcMilliseconds(
        required=True,
        allow_none=True,
        metadata={
            "description": "When it was used last, in UTC, as known some ten seconds ago; null when never",
            "example": EXAMPLE_TIME,
        },
    )
    revoked_at = UtcMilliseconds(
        required=True,
        allow_none=True,
        metadata={"description": "When it was revoked, in UTC; null while it is active", "example": None},
    )


class NewKeySchema(KeySchema):
    """A key that was just created, with its secret."""

    key = fields.String(
        required=True,
        metadata={
            "description": "The secret to send as X-API-Key; shown this once and stored nowhere",
            "example": "fb_3Qm0yV5nT1sKzj8LxkPq7RrUa2Wc9Ed4HgBfYtNiXoM",
        },
    )


class KeyPageQuerySchema(RequestSchema):
    """Which page of keys."""

    limit = limit_field("keys")
    cursor = cursor_field()


class KeyPageSchema(Schema):
    """A page of keys, newest first."""

    items = fields.List(fields.Nested(KeySchema), required=True, metadata={"description": "The keys of this page"})
    next_cursor = next_cursor_field()


class TokenSchema(Schema):
    """A token, as RFC 6749, section 5.1, describes one."""

    access_token = fields.String(
        required=True,
        attribute="text",
        metadata={
            "description": "The token, to send as Authorization: Bearer; a JWT, signed with HS256",
            "example": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIwMTk5ZDZmMiJ9.c2lnbmF0dXJl",
        },
    )
    token_type = fields.Constant(
        "Bearer", required=True, metadata={"description": "How to send it", "type": "string", "example": "Bearer"}
    )
    expires_in = fields.Integer(
        required=True,
        attribute="lifetime_seconds",
        metadata={"description": "For how many seconds it counts", "example": 900},
    )
