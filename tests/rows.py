"""Rows as the tests of the storage need them."""

from decimal import Decimal

from finbert_api.domain.caller import BOOTSTRAP_KEY_ID
from finbert_api.domain.identifiers import new_request_id
from finbert_api.domain.prediction import Prediction
from finbert_api.domain.sentiment import Label, Sentiment

SCORES = {Label.POSITIVE: Decimal("0.3334"), Label.NEGATIVE: Decimal("0.3333"), Label.NEUTRAL: Decimal("0.3333")}


def prediction(label=Label.POSITIVE, **changes):
    """A prediction to store, with a fresh id."""
    values = {
        "request_id": new_request_id(),
        "key_id": BOOTSTRAP_KEY_ID,
        "text": "Profit rose.",
        "source": None,
        "sentiment": Sentiment(label=label, scores=SCORES),
        "model_version": "m-1",
        "latency_ms": 1.5,
        "token_count": 5,
        "truncated": False,
    }
    return Prediction(**values | changes)
