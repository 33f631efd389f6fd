"""Predict a text, find a prediction, list predictions."""

from typing import Any, TypedDict
from uuid import UUID

from flask import g

from finbert_api.api.container import container
from finbert_api.api.parsing import StrictBlueprint
from finbert_api.api.schemas.predictions import PageQuerySchema, PageSchema, PredictionSchema, PredictRequestSchema
from finbert_api.domain.prediction import Page, Prediction
from finbert_api.domain.sentiment import Label

blueprint = StrictBlueprint("predictions", __name__, description="Sentiment of texts, and the predictions kept of them")

PREDICT_HEADERS = {
    "X-Cache": {
        "description": "`hit` when the text's scores were there already or being computed, `miss` when they had to be",
        "schema": {"type": "string", "enum": ["hit", "miss"]},
    },
    "X-Model-Version": {"description": "The model that predicted", "schema": {"type": "string"}},
    "X-Storage-Warning": {
        "description": "Only when the prediction could not be stored yet: `write_failed`",
        "schema": {"type": "string", "enum": ["write_failed"]},
    },
    "Server-Timing": {
        "description": "Milliseconds by stage: queue, inference, storage",
        "schema": {"type": "string", "example": "queue;dur=0.1, inference;dur=8.2, storage;dur=1.9"},
    },
}


class PredictArguments(TypedDict):
    """PredictRequestSchema, loaded."""

    text: str
    source: str | None


class PageArguments(TypedDict):
    """PageQuerySchema, loaded."""

    limit: int
    cursor: UUID | None
    label: Label | None


@blueprint.route("/predict", methods=["POST"])
@blueprint.arguments(PredictRequestSchema)
@blueprint.response(200, PredictionSchema, headers=PREDICT_HEADERS)
@blueprint.alt_response(400, "BAD_REQUEST")
@blueprint.alt_response(401, "UNAUTHORIZED")
@blueprint.alt_response(413, "REQUEST_ENTITY_TOO_LARGE")
@blueprint.alt_response(415, "UNSUPPORTED_MEDIA_TYPE")
@blueprint.alt_response(503, "SERVICE_UNAVAILABLE")
@blueprint.alt_response(504, "GATEWAY_TIMEOUT")
def predict(arguments: PredictArguments) -> tuple[Prediction, int, dict[str, Any]]:
    """Predict the sentiment of a text.

    The prediction is stored before the answer is sent. When it can't be stored at the moment the answer says so in
    X-Storage-Warning.
    """
    outcome = container().predictions.predict(arguments["text"], arguments["source"], g.caller, g.new_id, g.deadline)
    g.prediction = outcome.prediction
    stages = {
        "queue": outcome.queue_seconds,
        "inference": outcome.inference_seconds,
        "storage": outcome.storage_seconds,
    }
    headers = {
        "X-Cache": "hit" if outcome.cache_hit else "miss",
        "X-Model-Version": outcome.prediction.model_version,
        "Server-Timing": ", ".join(f"{stage};dur={seconds * 1000:.1f}" for stage, seconds in stages.items()),
    }
    if not outcome.stored:
        headers["X-Storage-Warning"] = "write_failed"
    return outcome.prediction, 200, headers


@blueprint.route("/predictions/<uuid:request_id>")
@blueprint.response(200, PredictionSchema)
@blueprint.alt_response(401, "UNAUTHORIZED")
@blueprint.alt_response(404, "NOT_FOUND")
@blueprint.alt_response(503, "SERVICE_UNAVAILABLE")
def get_prediction(request_id: UUID) -> Prediction:
    """Find a prediction by its id.

    A client finds its own predictions, an admin everybody's.
    """
    return container().predictions.find(request_id, g.caller)


@blueprint.route("/predictions")
@blueprint.arguments(PageQuerySchema, location="query")
@blueprint.response(200, PageSchema)
@blueprint.alt_response(401, "UNAUTHORIZED")
@blueprint.alt_response(503, "SERVICE_UNAVAILABLE")
def list_predictions(arguments: PageArguments) -> Page:
    """List predictions, newest first.

    Pages neither skip nor repeat a prediction while others are made, and cost the same however many there are.
    """
    return container().predictions.page(**arguments, caller=g.caller)
