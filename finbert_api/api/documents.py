"""Analyse a document, explain a text."""

import time
from typing import Any, TypedDict

from flask import g

from finbert_api.api.container import container
from finbert_api.api.parsing import StrictBlueprint
from finbert_api.api.predictions import PREDICT_HEADERS
from finbert_api.api.schemas.documents import (
    AnalysisSchema,
    AnalyzeRequestSchema,
    ExplainRequestSchema,
    ExplanationSchema,
)
from finbert_api.domain.documents import Analysis, Explanation

blueprint = StrictBlueprint("documents", __name__, description="Documents by their sentences, texts by their words")

DOCUMENT_HEADERS = {
    "X-Model-Version": PREDICT_HEADERS["X-Model-Version"],
    "Server-Timing": {
        "description": "Milliseconds of all readings by the model together, waiting included",
        "schema": {"type": "string", "example": "inference;dur=23.4"},
    },
}


class TextArguments(TypedDict):
    """AnalyzeRequestSchema or ExplainRequestSchema, loaded."""

    text: str


@blueprint.route("/analyze", methods=["POST"])
@blueprint.arguments(AnalyzeRequestSchema)
@blueprint.response(200, AnalysisSchema, headers=DOCUMENT_HEADERS)
@blueprint.alt_response(504, "GATEWAY_TIMEOUT")
def analyze(arguments: TextArguments) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Analyse a document sentence by sentence.

    The document is read whole: a sentence of more tokens than the model reads at once is read in overlapping windows.
    `aggregate` is the mean of the sentences' scores, each weighted by its tokens; its `mean_sentiment_score` weighs all
    alike, as the average of ProsusAI/finBERT's own predict does. Nothing is stored.
    """
    started = time.perf_counter()
    analysis = container().analyses.analyse(arguments["text"], g.deadline)
    return (
        {
            "sentences": analysis.sentences,
            "aggregate": analysis,
            "coverage": analysis,
            "model_version": analysis.model_version,
        },
        200,
        _headers(analysis, started),
    )


@blueprint.route("/explain", methods=["POST"])
@blueprint.arguments(ExplainRequestSchema)
@blueprint.response(200, ExplanationSchema, headers=DOCUMENT_HEADERS)
@blueprint.alt_response(504, "GATEWAY_TIMEOUT")
def explain(arguments: TextArguments) -> tuple[Explanation, int, dict[str, str]]:
    """Explain the label of a text word by word.

    Each word is left out once, and `change` is what that does to the score of the text's label. At most 200 words are
    tried, fewer in long texts, the first ones: `words_tried` of `word_count`. Nothing is stored.
    """
    started = time.perf_counter()
    explanation = container().explanations.explain(arguments["text"], g.deadline)
    return explanation, 200, _headers(explanation, started)


def _headers(answer: Analysis | Explanation, started: float) -> dict[str, str]:
    milliseconds = (time.perf_counter() - started) * 1000
    return {"X-Model-Version": answer.model_version, "Server-Timing": f"inference;dur={milliseconds:.1f}"}
