"""Predict many texts at once."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypedDict

from flask import g
from marshmallow import ValidationError

from finbert_api.api.container import container
from finbert_api.api.parsing import StrictBlueprint
from finbert_api.api.predictions import PREDICT_HEADERS, PredictArguments, server_timing
from finbert_api.api.problems import STATUS_OF, errors_by_field, in_words, problem_document
from finbert_api.api.schemas.batch import BatchRequestSchema, BatchSchema
from finbert_api.domain.errors import FinbertError
from finbert_api.observability.logging import current_request_id
from finbert_api.services.predict import Outcome

blueprint = StrictBlueprint("batch", __name__, description="Sentiment of many texts at once")

BATCH_HEADERS = {
    "X-Model-Version": PREDICT_HEADERS["X-Model-Version"],
    "X-Storage-Warning": PREDICT_HEADERS["X-Storage-Warning"]
    | {"description": "Only when some of the predictions could not be stored yet: `write_failed`"},
    "Server-Timing": PREDICT_HEADERS["Server-Timing"]
    | {"description": "Milliseconds by stage, of the item that took longest in it: queue, inference, storage"},
}


class BatchArguments(TypedDict):
    """BatchRequestSchema, loaded."""

    items: list[PredictArguments | ValidationError]


@blueprint.route("/predict/batch", methods=["POST"])
@blueprint.arguments(BatchRequestSchema)
@blueprint.response(200, BatchSchema, headers=BATCH_HEADERS)
@blueprint.alt_response(504, "GATEWAY_TIMEOUT")
def predict_batch(arguments: BatchArguments) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Predict the sentiment of up to 100 texts.

    Each text that can be predicted is, and stored as if it had come alone; one that can't gets its error in its place,
    and the others go on. When there is no room for all of them at the moment, none is predicted.
    """
    items = arguments["items"]
    valid = [(item["text"], item["source"]) for item in items if not isinstance(item, ValidationError)]
    made = iter(container().predictions.predict_batch(valid, g.caller, g.deadline))
    outcomes = [item if isinstance(item, ValidationError) else next(made) for item in items]
    predicted = [outcome for outcome in outcomes if isinstance(outcome, Outcome)]
    answer = {
        "items": [
            outcome.prediction if isinstance(outcome, Outcome) else _error(index, outcome)
            for index, outcome in enumerate(outcomes)
        ],
        "succeeded": len(predicted),
        "failed": len(outcomes) - len(predicted),
    }
    return answer, 200, _headers(predicted)


def _error(index: int, error: ValidationError | FinbertError) -> Mapping[str, Any]:
    if isinstance(error, ValidationError):
        errors = errors_by_field([error.messages])
        status, detail = HTTPStatus.UNPROCESSABLE_ENTITY, in_words(errors)
    else:
        errors, status, detail = {}, STATUS_OF[type(error)], str(error)
    return {"index": index, "error": problem_document(status, detail, current_request_id.get() or "", errors)}


def _headers(outcomes: list[Outcome]) -> dict[str, str]:
    """The headers of an answer with these predictions."""
    if not outcomes:
        return {}
    longest = {stage: max(outcome.stages[stage] for outcome in outcomes) for stage in outcomes[0].stages}
    headers = {
        "X-Model-Version": outcomes[0].prediction.model_version,
        "Server-Timing": server_timing(longest),
    }
    if not all(outcome.stored for outcome in outcomes):
        headers["X-Storage-Warning"] = "write_failed"
    return headers
