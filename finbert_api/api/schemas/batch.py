"""The bodies of a batch of predictions."""

from typing import Any

from marshmallow import Schema, fields

from finbert_api.api.fields import Attempts
from finbert_api.api.problems import ProblemSchema
from finbert_api.api.schemas.base import EXAMPLE_TEXT, RequestSchema
from finbert_api.api.schemas.predictions import PredictionSchema, PredictRequestSchema
from finbert_api.domain.prediction import Prediction

MOST_ITEMS = 100


class BatchRequestSchema(RequestSchema):
    """Texts to predict."""

    # A hundred times the longest text and source, as the limit of a single one is reckoned.
    largest_body_bytes = 2_560 * 1024

    items = Attempts(
        PredictRequestSchema,
        "PredictRequest",
        most=MOST_ITEMS,
        required=True,
        metadata={
            "description": "The texts, each a PredictRequest; one that is anything else gets an error in its place",
            "example": [{"text": EXAMPLE_TEXT, "source": "newswire"}],
        },
        error_messages={"required": "is missing", "null": "must not be null"},
    )


class BatchErrorSchema(Schema):
    """Why an item of a batch has no prediction."""

    index = fields.Integer(required=True, metadata={"description": "The item's place, from 0", "example": 1})
    error = fields.Nested(
        ProblemSchema, required=True, metadata={"description": "What a request for this item alone would be told"}
    )


class PredictionOrError(fields.Field[Any]):
    """A Prediction, or a BatchError."""

    _prediction = PredictionSchema()
    _error = BatchErrorSchema()

    def __init__(self, **kwargs: Any) -> None:
        either = [{"$ref": f"#/components/schemas/{name}"} for name in ("Prediction", "BatchError")]
        super().__init__(metadata={"anyOf": either}, **kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return (self._prediction if isinstance(value, Prediction) else self._error).dump(value)


class BatchSchema(Schema):
    """What became of each item, in the order of the items."""

    items = fields.List(
        PredictionOrError(),
        required=True,
        metadata={"description": "The prediction of each item, or why there is none"},
    )
    succeeded = fields.Integer(
        required=True, metadata={"description": "How many items have a prediction", "minimum": 0, "example": 1}
    )
    failed = fields.Integer(
        required=True, metadata={"description": "How many have an error", "minimum": 0, "example": 0}
    )
