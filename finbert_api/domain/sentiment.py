"""Labels, scores and what is derived from them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

FOUR_DECIMALS = Decimal("0.0001")


class Label(StrEnum):
    """The three sentiments, in the order of ProsusAI/finbert's logits."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class Sentiment:
    """A text's label and its scores after softmax, each rounded to the four decimals that are stored and served."""

    label: Label
    scores: Mapping[Label, Decimal]

    @property
    def confidence(self) -> Decimal:
        """The score of the label: the highest of the three."""
        return self.scores[self.label]

    @property
    def sentiment_score(self) -> Decimal:
        """P(positive) - P(negative), from -1 to 1, as ProsusAI/finBERT's own predict computes it."""
        return self.scores[Label.POSITIVE] - self.scores[Label.NEGATIVE]


def softmax(logits: Sequence[float]) -> list[float]:
    """Scores that sum to 1; shifted by the largest logit, so that no exponential overflows."""
    largest = max(logits)
    exponentials = [math.exp(logit - largest) for logit in logits]
    total = sum(exponentials)
    return [exponential / total for exponential in exponentials]


def sentiment_of(logits: Sequence[float], label_order: Sequence[Label]) -> Sentiment:
    """The sentiment that one row of logits means, given which label each position stands for.

    On a tie the label that comes first in `label_order` wins. Raises ValueError when the lengths differ or a logit is
    not finite, since a score computed from such a row would look valid and mean nothing.
    """
    if len(logits) != len(label_order) or not all(map(math.isfinite, logits)):
        raise ValueError("logits must be finite, one for each label")
    exact = dict(zip(label_order, softmax(logits), strict=True))
    rounded = {label: Decimal(exact[label]).quantize(FOUR_DECIMALS) for label in Label}
    return Sentiment(label=max(exact, key=exact.__getitem__), scores=rounded)


def pooled(parts: Sequence[tuple[Sentiment, Decimal | int]]) -> Sentiment:
    """The sentiment of several texts together: for each label sum(weight x score) / sum(weight), weights positive.

    That is the linear opinion pool (Stone, "The Opinion Pool", Annals of Mathematical Statistics 32, 1961): the scores
    stay probabilities, and where all texts agree it says what they say. On a tie the first of Label wins.
    """
    total = sum(weight for _, weight in parts)
    exact = {label: sum(sentiment.scores[label] * weight for sentiment, weight in parts) / total for label in Label}
    rounded = {label: Decimal(score).quantize(FOUR_DECIMALS) for label, score in exact.items()}
    return Sentiment(label=max(exact, key=exact.__getitem__), scores=rounded)
