"""Predict a text; find, list and delete predictions."""

from collections.abc import Mapping
from typing import TypedDict
from uuid import UUID

from flask import g, request

from finbert_api.api.container import container
from finbert_api.api.idempotency import IDEMPOTENCY_HEADER, IDEMPOTENCY_PARAMETER, REPLAYED_HEADER, idempotency_key
from finbert_api.api.parsing import StrictBlueprint
from finbert_api.api.schemas.base import EXAMPLE_MODEL_VERSION
from finbert_api.api.schemas.predictions import PageQuerySchema, PageSchema, PredictionSchema, PredictRequestSchema
from finbert_api.domain.prediction import Page, Prediction, PredictionFilter
from finbert_api.services.predict import Outcome

blueprint = StrictBlueprint("predictions", __name__, description="Sentiment of texts, and the predictions kept of them")

# The name of `predict` in an application's URL map.
PREDICT_ENDPOINT = "v1.predictions.predict"

PREDICT_HEADERS = {
    "X-Cache": {
        "description": "`hit` when the text's scores were there already or being computed, `miss` when they had to be",
        "schema": {"type": "string", "enum": ["hit", "miss"], "example": "miss"},
    },
    "X-Model-Version": {
        "description": "The model that predicted",
        "schema": {"type": "string", "example": EXAMPLE_MODEL_VERSION},
    },
    "X-Storage-Warning": {
        "description": "Only when the prediction could not be stored yet: `write_failed`",
        "schema": {"type": "string", "enum": ["write_failed"], "example": "write_failed"},
    },
    REPLAYED_HEADER: {
        "description": "`true` when this is the stored answer of an earlier request with this Idempotency-Key",
        "schema": {"type": "string", "enum": ["true"], "example": "true"},
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
    wanted: PredictionFilter


@blueprint.route("/predict", methods=["POST"])
@blueprint.doc(parameters=[IDEMPOTENCY_PARAMETER])
@blueprint.arguments(PredictRequestSchema)
@blueprint.response(200, PredictionSchema, headers=PREDICT_HEADERS)
@blueprint.alt_response(409, "CONFLICT")
@blueprint.alt_response(504, "GATEWAY_TIMEOUT")
def predict(arguments: PredictArguments) -> tuple[Prediction, int, dict[str, str]]:
    """Predict the sentiment of a text.

    The prediction is stored before the answer is sent. When it can't be stored at the moment the answer says so in
    X-Storage-Warning; with an Idempotency-Key, which needs the database, there is no answer then but 503.
    """
    key = idempotency_key(request.headers.get(IDEMPOTENCY_HEADER))
    asked = (arguments["text"], arguments["source"], g.caller, g.new_id, g.deadline)
    outcome = container().idempotency.predict(*asked, key=key) if key else container().predictions.predict(*asked)
    g.outcome = outcome
    return outcome.prediction, 200, headers_of(outcome)


def headers_of(outcome: Outcome) -> dict[str, str]:
    """What the headers of an answer say of how its prediction came about."""
    headers = {
        "X-Cache": "hit" if outcome.cache_hit else "miss",
        "X-Model-Version": outcome.prediction.model_version,
        "Server-Timing": server_timing(outcome.stages),
    }
    if not outcome.stored:
        headers["X-Storage-Warning"] = "write_failed"
    if outcome.replayed:
        headers[REPLAYED_HEADER] = "true"
    return headers


def server_timing(stages: Mapping[str, float]) -> str:
    """Seconds by stage as the header Server-Timing has them."""
    return ", ".join(f"{stage};dur={seconds * 1000:.1f}" for stage, seconds in stages.items())


@blueprint.route("/predictions/<uuid:request_id>")
@blueprint.response(200, PredictionSchema)
def get_prediction(request_id: UUID) -> Prediction:
    """Find a prediction by its id.

    A client finds its own predictions, an admin everybody's.
    """
    return container().history.find(request_id, g.caller)


@blueprint.route("/predictions/<uuid:request_id>", methods=["DELETE"])
@blueprint.response(204)
def delete_prediction(request_id: UUID) -> None:
    """Delete a prediction for good.

    Its text, its feedback and its Idempotency-Key go with it, and the text's scores leave the cache. A client deletes
    its own predictions, an admin everybody's.
    """
    container().history.delete(request_id, g.caller)


@blueprint.route("/predictions")
@blueprint.arguments(PageQuerySchema, location="query")
@blueprint.response(200, PageSchema)
def list_predictions(arguments: PageArguments) -> Page:
    """List predictions, newest first.

    Those are given that match every filter.
    Pages neither skip nor repeat a prediction while others are made, and cost the same however many there are.
    """
    return container().history.page(**arguments, caller=g.caller)
