"""What the bodies and queries of all routes share."""

from marshmallow import Schema

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
