"""A prediction as it is stored and served, and a page of them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from finbert_api.domain.identifiers import created_at
from finbert_api.domain.sentiment import Label, Sentiment


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model said of one text for one key.

    `latency_ms` is the time from the text's arrival in the service to its scores, storage not included. `token_count`
    is what the model read, special tokens included; `truncated` says whether the text had more.
    """

    request_id: UUID
    key_id: UUID
    text: str
    source: str | None
    sentiment: Sentiment
    model_version: str
    latency_ms: float
    token_count: int
    truncated: bool

    @property
    def label(self) -> Label:
        """The sentiment with the highest score."""
        return self.sentiment.label

    @property
    def confidence(self) -> Decimal:
        """The label's score."""
        return self.sentiment.confidence

    @property
    def sentiment_score(self) -> Decimal:
        """P(positive) - P(negative)."""
        return self.sentiment.sentiment_score

    @property
    def scores(self) -> dict[str, Decimal]:
        """The score of each label after softmax."""
        return {label.value: score for label, score in self.sentiment.scores.items()}

    @property
    def created_at(self) -> datetime:
        """When its request arrived, which its id carries."""
        return created_at(self.request_id)


@dataclass(frozen=True, slots=True)
class PredictionFilter:
    """Which predictions are asked for: those that match everything that is not None.

    Made at `since` or later, and before `until`.
    """

    label: Label | None = None
    source: str | None = None
    model_version: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a person says the label of a prediction should be."""

    request_id: UUID
    key_id: UUID
    label: Label
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """Predictions newest first; `next_cursor` is None on the last page; `total_count` is of all pages together."""

    items: list[Prediction]
    next_cursor: UUID | None
    total_count: int
