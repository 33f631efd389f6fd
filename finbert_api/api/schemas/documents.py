"""The bodies of analyses and explanations."""

from marshmallow import Schema, fields

from finbert_api.api.schemas.base import EXAMPLE_MODEL_VERSION, EXAMPLE_TEXT, RequestSchema, text_field
from finbert_api.api.schemas.predictions import LONGEST_TEXT, ScoresSchema
from finbert_api.domain.sentiment import Label

LONGEST_DOCUMENT = 50_000
_OFFSET = "counted in characters (Unicode code points) from 0"


class AnalyzeRequestSchema(RequestSchema):
    """A document to analyse."""

    # Each character may be an escaped surrogate pair of 12 bytes.
    largest_body_bytes = 640 * 1024

    text = text_field(LONGEST_DOCUMENT, "The document")


class ExplainRequestSchema(RequestSchema):
    """A text to explain."""

    text = text_field(LONGEST_TEXT, "The text")


def _start(example: int) -> fields.Integer:
    return fields.Integer(
        required=True,
        attribute="span.start",
        metadata={"description": f"Where it begins, {_OFFSET}", "minimum": 0, "example": example},
    )


def _end(example: int) -> fields.Integer:
    return fields.Integer(
        required=True,
        attribute="span.end",
        metadata={
            "description": f"Where it ends: the place after its last character, {_OFFSET}",
            "minimum": 1,
            "example": example,
        },
    )


_SENTIMENT_FIELDS = ("label", "scores", "confidence", "sentiment_score")


class _SentimentSchema(Schema):
    label = fields.Enum(
        Label,
        by_value=True,
        required=True,
        attribute="sentiment.label",
        metadata={"description": "The label with the highest score"},
    )
    scores = fields.Nested(
        ScoresSchema, required=True, attribute="sentiment.scores", metadata={"description": "The score of each label"}
    )
    confidence = fields.Float(
        required=True,
        attribute="sentiment.confidence",
        metadata={"description": "The label's score", "minimum": 0, "maximum": 1, "example": 0.9743},
    )
    sentiment_score = fields.Float(
        required=True,
        attribute="sentiment.sentiment_score",
        metadata={"description": "P(positive) - P(negative)", "minimum": -1, "maximum": 1, "example": 0.9588},
    )


class AnalysedSentenceSchema(_SentimentSchema):
    """A sentence, where it is in the document, and what the model says of it."""

    class Meta:
        """The order of the fields."""

        fields = ("start", "end", "text", *_SENTIMENT_FIELDS, "token_count", "windows")

    start = _start(0)
    end = _end(len(EXAMPLE_TEXT))
    text = fields.String(
        required=True, metadata={"description": "The document from start to end", "example": EXAMPLE_TEXT}
    )
    token_count = fields.Integer(
        required=True, metadata={"description": "Its tokens, special ones not counted", "minimum": 0, "example": 12}
    )
    windows = fields.Integer(
        required=True,
        metadata={
            "description": "In how many overlapping parts the model read it; 1 unless it is too long for one",
            "minimum": 1,
            "example": 1,
        },
    )


class LabelCountsSchema(Schema):
    """How many sentences have each label."""

    positive = fields.Integer(required=True, metadata={"description": "Positive ones", "minimum": 0, "example": 1})
    negative = fields.Integer(required=True, metadata={"description": "Negative ones", "minimum": 0, "example": 0})
    neutral = fields.Integer(required=True, metadata={"description": "Neutral ones", "minimum": 0, "example": 0})


class AggregateSchema(_SentimentSchema):
    """The document's sentiment: for each label the mean of the sentences' scores, weighted by their tokens."""

    mean_sentiment_score = fields.Float(
        required=True,
        metadata={
            "description": "The mean of the sentences' sentiment_score, each counted once",
            "minimum": -1,
            "maximum": 1,
            "example": 0.9588,
        },
    )
    label_counts = fields.Nested(
        LabelCountsSchema, required=True, metadata={"description": "How many sentences have each label"}
    )


class CoverageSchema(Schema):
    """How much of the document the model read."""

    token_count = fields.Integer(
        required=True, metadata={"description": "The document's tokens", "minimum": 0, "example": 12}
    )
    tokens_read = fields.Integer(
        required=True, metadata={"description": "Those that the model read", "minimum": 0, "example": 12}
    )


class AnalysisSchema(Schema):
    """What a document says, sentence by sentence and as a whole."""

    sentences = fields.List(
        fields.Nested(AnalysedSentenceSchema), required=True, metadata={"description": "The sentences in their order"}
    )
    aggregate = fields.Nested(AggregateSchema, required=True, metadata={"description": "What it says as a whole"})
    coverage = fields.Nested(CoverageSchema, required=True, metadata={"description": "How much of it was read"})
    model_version = fields.String(
        required=True, metadata={"description": "The model that said so", "example": EXAMPLE_MODEL_VERSION}
    )


class WordSchema(Schema):
    """A word of a text, and what it does for the text's label."""

    word = fields.String(required=True, metadata={"description": "The text from start to end", "example": "beat"})
    start = _start(12)
    end = _end(16)
    change = fields.Float(
        required=True,
        metadata={
            "description": "The label's score without the word, less that with it; negative: it speaks for the label",
            "minimum": -1,
            "maximum": 1,
            "example": -0.0018,
        },
    )


class ExplanationSchema(_SentimentSchema):
    """Why a text has its label: what changes when a word is left out, for each word."""

    class Meta:
        """The order of the fields."""

        fields = (
            *_SENTIMENT_FIELDS, "words", "words_tried", "word_count", "token_count", "truncated", "model_version",
        )  # fmt: skip

    words = fields.List(
        fields.Nested(WordSchema), required=True, metadata={"description": "The words tried, in the text's order"}
    )
    words_tried = fields.Integer(
        required=True,
        metadata={"description": "How many words were left out in turn: the first ones", "minimum": 0, "example": 9},
    )
    word_count = fields.Integer(
        required=True, metadata={"description": "How many words the text has", "minimum": 0, "example": 9}
    )
    token_count = fields.Integer(
        required=True, metadata={"description": "Tokens the model read, special tokens included", "example": 14}
    )
    truncated = fields.Boolean(
        required=True,
        metadata={"description": "Whether the text had more tokens than the model reads (512)", "example": False},
    )
    model_version = fields.String(
        required=True, metadata={"description": "The model that said so", "example": EXAMPLE_MODEL_VERSION}
    )
