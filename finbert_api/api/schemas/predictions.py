"""The bodies and queries of predictions, described for their readers."""

from typing import Any

from marshmallow import Schema, fields, post_load

from finbert_api.api.fields import Moment, StorableString, UtcMilliseconds
from finbert_api.api.schemas.base import (
    EXAMPLE_ID,
    EXAMPLE_MODEL_VERSION,
    EXAMPLE_TEXT,
    EXAMPLE_TIME,
    RequestSchema,
    cursor_field,
    limit_field,
    next_cursor_field,
    text_field,
)
from finbert_api.domain.prediction import PredictionFilter
from finbert_api.domain.sentiment import Label

LONGEST_TEXT = 2_000
LONGEST_SOURCE = 100
LONGEST_MODEL_VERSION = 100


class PredictRequestSchema(RequestSchema):
    """A text to predict."""

    text = text_field(LONGEST_TEXT, "The text, kept and read exactly as sent")
    source = StorableString(
        longest=LONGEST_SOURCE,
        load_default=None,
        allow_none=True,
        metadata={"description": "Where the text comes from, in the client's own words", "example": "newswire"},
    )


class ScoresSchema(Schema):
    """The score of each label after softmax, rounded to four decimals."""

    positive = fields.Float(
        required=True, metadata={"description": "P(positive)", "minimum": 0, "maximum": 1, "example": 0.9743}
    )
    negative = fields.Float(
        required=True, metadata={"description": "P(negative)", "minimum": 0, "maximum": 1, "example": 0.0155}
    )
    neutral = fields.Float(
        required=True, metadata={"description": "P(neutral)", "minimum": 0, "maximum": 1, "example": 0.0103}
    )


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
    scores = fields.Nested(
        ScoresSchema,
        required=True,
        metadata={"description": "The score of each label; together they make 1, but for rounding"},
    )
    confidence = fields.Float(
        required=True, metadata={"description": "The label's score", "minimum": 0, "maximum": 1, "example": 0.9743}
    )
    sentiment_score = fields.Float(
        required=True,
        metadata={"description": "P(positive) - P(negative)", "minimum": -1, "maximum": 1, "example": 0.9588},
    )
    model_version = fields.String(
        required=True, metadata={"description": "The model that said so", "example": EXAMPLE_MODEL_VERSION}
    )
    latency_ms = fields.Float(
        required=True,
        metadata={
            "description": "Milliseconds from the text's arrival to its scores, storage not included",
            "minimum": 0,
            "example": 8.3,
        },
    )
    token_count = fields.Integer(
        required=True, metadata={"description": "Tokens the model read, special tokens included", "example": 14}
    )
    truncated = fields.Boolean(
        required=True,
        metadata={"description": "Whether the text had more tokens than the model reads (512)", "example": False},
    )
    created_at = UtcMilliseconds(
        required=True,
        metadata={"description": "When the request arrived, in UTC", "example": EXAMPLE_TIME},
    )


class FilterQuerySchema(RequestSchema):
    """Which predictions: those that match every parameter that is given."""

    label = fields.Enum(
        Label,
        by_value=True,
        load_default=None,
        metadata={"description": "Only predictions with this label"},
        error_messages={"unknown": "must be one of: {choices}"},
    )
    source = StorableString(
        longest=LONGEST_SOURCE,
        load_default=None,
        metadata={"description": "Only predictions with exactly this source", "example": "newswire"},
    )
    model_version = StorableString(
        longest=LONGEST_MODEL_VERSION,
        load_default=None,
        metadata={"description": "Only predictions of this model", "example": EXAMPLE_MODEL_VERSION},
    )
    since = Moment(
        load_default=None,
        metadata={"description": "Only predictions made at this moment or later", "example": EXAMPLE_TIME},
    )
    until = Moment(
        load_default=None,
        metadata={"description": "Only predictions made before this moment", "example": "2026-01-01T00:00:00Z"},
    )

    @post_load
    def gather(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """The filters as one value, `wanted`, beside the other parameters."""
        wanted = PredictionFilter(**{name: data.pop(name) for name in FilterQuerySchema._declared_fields})
        return data | {"wanted": wanted}


class PageQuerySchema(FilterQuerySchema):
    """Which page of which predictions."""

    limit = limit_field("predictions")
    cursor = cursor_field()


class FeedbackRequestSchema(RequestSchema):
    """What a person says of a prediction."""

    label = fields.Enum(
        Label,
        by_value=True,
        required=True,
        metadata={"description": "The label it should have"},
        error_messages={"unknown": "must be one of: {choices}", "required": "is missing", "null": "must not be null"},
    )


class FeedbackSchema(Schema):
    """What a person said of a prediction."""

    request_id = fields.UUID(required=True, metadata={"description": "The prediction's id", "example": EXAMPLE_ID})
    label = fields.Enum(Label, by_value=True, required=True, metadata={"description": "The label it should have"})
    created_at = UtcMilliseconds(
        required=True, metadata={"description": "When it was said last, in UTC", "example": EXAMPLE_TIME}
    )


class PageSchema(Schema):
    """A page of predictions, newest first."""

    items = fields.List(
        fields.Nested(PredictionSchema), required=True, metadata={"description": "The predictions, newest first"}
    )
    next_cursor = next_cursor_field()
    total_count = fields.Integer(
        required=True,
        metadata={"description": "Exactly how many predictions match, on all pages together", "example": 1},
    )
