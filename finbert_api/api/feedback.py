"""What people say of predictions."""

from typing import TypedDict
from uuid import UUID

from flask import g

from finbert_api.api.container import container
from finbert_api.api.parsing import StrictBlueprint
from finbert_api.api.schemas.predictions import FeedbackRequestSchema, FeedbackSchema
from finbert_api.domain.prediction import Feedback
from finbert_api.domain.sentiment import Label

blueprint = StrictBlueprint("feedback", __name__, description="What people say the label of a prediction should be")


class FeedbackArguments(TypedDict):
    """FeedbackRequestSchema, loaded."""

    label: Label


@blueprint.route("/predictions/<uuid:request_id>/feedback", methods=["POST"])
@blueprint.arguments(FeedbackRequestSchema)
@blueprint.response(200, FeedbackSchema)
def give_feedback(arguments: FeedbackArguments, request_id: UUID) -> Feedback:
    """Say which label a prediction should have.

    Each key has one say on a prediction; saying it again replaces what it said before.
    """
    return container().history.annotate(request_id, arguments["label"], g.caller)
