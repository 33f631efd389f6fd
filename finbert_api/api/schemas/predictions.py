"""The bodies and queries of predictions, described for their readers."""

from marshmallow import Schema, fields

from finbert_api.api.fields import CanonicalUuid, PlainInteger, StorableString, UtcMilliseconds
from finbert_api.api.schemas.base import EXAMPLE_ID, EXAMPLE_TEXT, RequestSchema
from finbert_api.domain.sentiment import Label

LONGEST_TEXT = 2_000
LONGEST_SOURCE = 100
LARGEST_PAGE = 100
DEFAULT_PAGE = 20


class PredictRequestSchema(RequestSchema):
    """A text to predict."""

    text = StorableString(
        required=True,
        shortest=1,
        longest=LONGEST_TEXT,
        blank=False,
        metadata={
            "description": "The text, kept and read exactly as sent; not blank, without NUL characters",
            "example": EXAMPLE_TEXT,
            "pattern": r"[^\s\x00]",
        },
        error_messages={"required": "is missing", "null": "must not be null"},
    )
    source = StorableString(
        longest=LONGEST_SOURCE,
        load_default=None,
        allow_none=True,
        metadata={"description": "Where the text comes from, in the client's own words", "example": "newswire"},
    )


class ScoresSchema(Schema):
    """The score of each label after softmax, rounded to four decimals."""

    positive = fields.Float(required=True, metadata={"minimum": 0, "maximum": 1, "example": 0.9741})
    negative = fields.Float(required=True, metadata={"minimum": 0, "maximum": 1, "example": 0.0156})
    neutral = fields.Float(required=True, metadata={"minimum": 0, "maximum": 1, "example": 0.0103})


class PredictionSchema(Schema):
    """What the model said of a text."""

    request_id = fields.UUID(
        required=True,
        metadata={"description": "The prediction's id, in the order in which requests arrived", "example": EXAMPLE_ID},
    )
    text = fields.String(required=True, metadata={"description": "The text as sent", "example": EXAMPLE_TEXT})
    source = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Where the text comes from; null when not said", "example": "newswire"},
    )
    label = fields.Enum(
        Label, by_value=True, required=True, metadata={"description": "The label with the highest score"}
    )
    scores = fields.Nested(ScoresSchema, required=True)
    confidence = fields.Float(required=True, metadata={"description": "The label's score", "example": 0.9741})
    sentiment_score = fields.Float(
        required=True, metadata={"description": "P(positive) - P(negative), from -1 to 1", "example": 0.9585}
    )
    model_version = fields.String(
        required=True, metadata={"description": "The model that said so", "example": "finbert-compact-1.1.0"}
    )
    latency_ms = fields.Float(
        required=True,
        metadata={"description": "Milliseconds from the text's arrival to its scores, storage not included"},
    )
    token_count = fields.Integer(
        required=True, metadata={"description": "Tokens the model read, special tokens included", "example": 14}
    )
    truncated = fields.Boolean(
        required=True, metadata={"description": "Whether the text had more tokens than the model reads (512)"}
    )
    created_at = UtcMilliseconds(
        required=True,
        metadata={"description": "When the request arrived, in UTC", "example": "2026-01-31T09:30:00.123Z"},
    )


class PageQuerySchema(RequestSchema):
    """Which page of predictions."""

    limit = PlainInteger(
        lowest=1,
        highest=LARGEST_PAGE,
        load_default=DEFAULT_PAGE,
        metadata={"description": "How many predictions at most"},
    )
    cursor = CanonicalUuid(
        load_default=None, metadata={"description": "The `next_cursor` of the page before; without it, the first page"}
    )
    label = fields.Enum(
        Label,
        by_value=True,
        load_default=None,
        metadata={"description": "Only predictions with this label"},
        error_messages={"unknown": "must be one of: {choices}"},
    )


class PageSchema(Schema):
    """A page of predictions, newest first."""

    items = fields.List(fields.Nested(PredictionSchema), required=True)
    next_cursor = fields.UUID(
        required=True,
        allow_none=True,
        metadata={"description": "Pass it as `cursor` for the next page; null on the last page", "example": EXAMPLE_ID},
    )
    total_count = fields.Integer(
        required=True,
        metadata={"description": "Exactly how many predictions match, on all pages together", "example": 1},
    )
