"""What operators are told."""

from marshmallow import Schema, fields, validate

from finbert_api.api.schemas.base import EXAMPLE_MODEL_VERSION


class HealthSchema(Schema):
    """That the process is up."""

    status = fields.String(
        required=True, validate=validate.Equal("ok"), metadata={"description": "Always ok", "example": "ok"}
    )
    version = fields.String(required=True, metadata={"description": "The service's version", "example": "0.1.0"})
    uptime_seconds = fields.Float(
        required=True, metadata={"description": "Seconds since this process started", "example": 12.3}
    )


class ReadinessSchema(Schema):
    """Whether the service can predict and keep what it predicts."""

    model_loaded = fields.Boolean(
        required=True, metadata={"description": "A verified model is loaded", "example": True}
    )
    db_connected = fields.Boolean(
        required=True, metadata={"description": "PostgreSQL answers and holds the tables", "example": True}
    )
    model_version = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The model; null when none is loaded", "example": EXAMPLE_MODEL_VERSION},
    )
