"""What a model says of a document, of its sentences, and of the words of a text."""

from dataclasses import dataclass
from decimal import Decimal

from finbert_api.domain.sentences import Span
from finbert_api.domain.sentiment import FOUR_DECIMALS, Label, Sentiment, pooled


@dataclass(frozen=True, slots=True)
class AnalysedSentence:
    """A sentence, and what the model says of it.

    `token_count` is how many tokens it has and `tokens_read` how many of them the model read, special tokens not
    counted; `windows` into how many overlapping parts it was cut for that, 1 when it is read in one piece.
    """

    span: Span
    text: str
    sentiment: Sentiment
    token_count: int
    tokens_read: int
    windows: int


@dataclass(frozen=True, slots=True)
class Analysis:
    """A document by its sentences; there is at least one."""

    sentences: list[AnalysedSentence]
    model_version: str

    @property
    def sentiment(self) -> Sentiment:
        """The document's: its sentences', each weighted by its tokens (one at least), pooled as `pooled` says."""
        return pooled([(sentence.sentiment, max(1, sentence.token_count)) for sentence in self.sentences])

    @property
    def mean_sentiment_score(self) -> Decimal:
        """The plain mean of the sentences' sentiment_score: what predict.py of ProsusAI/finBERT calls their average."""
        total = sum((sentence.sentiment.sentiment_score for sentence in self.sentences), Decimal(0))
        return (total / len(self.sentences)).quantize(FOUR_DECIMALS)

    @property
    def label_counts(self) -> dict[Label, int]:
        """How many sentences have each label."""
        labels = [sentence.sentiment.label for sentence in self.sentences]
        return {label: labels.count(label) for label in Label}

    @property
    def token_count(self) -> int:
        """How many tokens the document has, special tokens not counted."""
        return sum(sentence.token_count for sentence in self.sentences)

    @property
    def tokens_read(self) -> int:
        """How many of them the model read."""
        return sum(sentence.tokens_read for sentence in self.sentences)


@dataclass(frozen=True, slots=True)
class WordChange:
    """A word as its author wrote it, and by how much the top label's score changes when it is left out.

    A word that speaks for the label has a negative change.
    """

    span: Span
    word: str
    change: Decimal


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a text has its label, word by word, in the text's order.

    `word_count` is how many words the text has; when `words` are fewer, the others were not tried.
    """

    sentiment: Sentiment
    words: list[WordChange]
    word_count: int
    token_count: int
    truncated: bool
    model_version: str

    @property
    def words_tried(self) -> int:
        """How many words were left out in turn."""
        return len(self.words)
