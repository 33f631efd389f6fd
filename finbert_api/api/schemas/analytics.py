"""The queries and answers of analytics, described for their readers."""

from typing import Any

from marshmallow import Schema, fields

from finbert_api.api.fields import Moment, StorableString, UtcMilliseconds
from finbert_api.api.schemas.base import EXAMPLE_MODEL_VERSION, RequestSchema
from finbert_api.api.schemas.predictions import LONGEST_MODEL_VERSION, LONGEST_SOURCE
from finbert_api.domain.analytics import MOST_BUCKETS, MOST_SOURCES, Bucket
from finbert_api.domain.sentiment import Label


def _number(description: str, example: float, *, nullable: bool = True, highest: int | None = 1) -> fields.Float:
    metadata: dict[str, Any] = {"description": description, "minimum": 0, "example": example}
    if highest is not None:
        metadata["maximum"] = highest
    return fields.Float(required=True, allow_none=nullable, metadata=metadata)


def _count(description: str, example: int) -> fields.Integer:
    return fields.Integer(required=True, metadata={"description": description, "minimum": 0, "example": example})


def _label(description: str) -> fields.Enum[Label]:
    return fields.Enum(Label, by_value=True, required=True, metadata={"description": description})


class WindowQuerySchema(RequestSchema):
    """The time that figures are of."""

    since = Moment(
        load_default=None,
        metadata={
            "description": "Predictions from the start of the hour that holds this moment; without it, from the first",
            "example": "2026-01-01T00:00:00Z",
        },
    )
    until = Moment(
        load_default=None,
        metadata={
            "description": "Predictions up to the end of the hour that holds this moment; without it, up to the last",
            "example": "2026-02-01T00:00:00Z",
        },
    )


class VersionQuerySchema(WindowQuerySchema):
    """The same for one version."""

    model_version = StorableString(
        longest=LONGEST_MODEL_VERSION,
        load_default=None,
        metadata={"description": "Only this version's predictions", "example": EXAMPLE_MODEL_VERSION},
    )


class SummaryQuerySchema(VersionQuerySchema):
    """The same for one version or source."""

    source = StorableString(
        longest=LONGEST_SOURCE,
        load_default=None,
        metadata={"description": "Only predictions with this source", "example": "newswire"},
    )


class TimeseriesQuerySchema(SummaryQuerySchema):
    """A series of hours or days."""

    bucket = fields.Enum(
        Bucket,
        by_value=True,
        load_default=Bucket.HOUR,
        metadata={"description": "How long each item of the series is; days begin at midnight UTC"},
        error_messages={"unknown": "must be one of: {choices}"},
    )
    since = Moment(
        load_default=None,
        metadata={
            "description": "From the bucket that holds this moment; without it, 24 hours or 30 days before the end. "
            f"The series has at most {MOST_BUCKETS:,} buckets: those before the end",
            "example": "2026-01-01T00:00:00Z",
        },
    )
    until = Moment(
        load_default=None,
        metadata={
            "description": "Up to the end of the bucket that holds this moment; without it, of the current one",
            "example": "2026-01-02T00:00:00Z",
        },
    )


class LatencySchema(Schema):
    """Percentiles of `latency_ms`, each within 5 % of the exact one."""

    p50 = _number("Half of the predictions took no longer", 8.6, nullable=False, highest=None)
    p95 = _number("95 % of the predictions took no longer", 18.43, nullable=False, highest=None)
    p99 = _number("99 % of the predictions took no longer", 32.66, nullable=False, highest=None)


class LabelFiguresSchema(Schema):
    """The predictions with one label."""

    label = _label("The label")
    predictions = _count("How many have it", 27)
    share = _number("Their share; null when there are no predictions at all", 0.27)
    confidence = _number("Their mean confidence; null when there are none", 0.8312)


class SourceFiguresSchema(Schema):
    """The predictions with one source."""

    source = fields.String(required=True, metadata={"description": "The source", "example": "newswire"})
    predictions = _count("How many have it", 60)
    share = _number("Their share", 0.6)
    confidence = _number("Their mean confidence", 0.8044)


class FiguresSchema(Schema):
    """What predictions say together."""

    predictions = _count("How many they are", 100)
    confidence = _number("Their mean confidence; null when there are none", 0.7951)
    latency_ms = fields.Nested(
        LatencySchema,
        required=True,
        allow_none=True,
        metadata={
            "description": "Milliseconds from a text's arrival to its scores; null when there are no predictions"
        },
    )
    labels = fields.List(
        fields.Nested(LabelFiguresSchema), required=True, metadata={"description": "By label: always all three"}
    )


class VersionFiguresSchema(FiguresSchema):
    """The predictions of one version."""

    model_version = fields.String(
        required=True, metadata={"description": "The version", "example": EXAMPLE_MODEL_VERSION}
    )
    share = _number("Its share of the predictions", 0.9)


class CoveredSchema(Schema):
    """The time that figures are of."""

    since = UtcMilliseconds(
        required=True,
        allow_none=True,
        metadata={
            "description": "They are of predictions from this moment on; null: from the first",
            "example": "2026-01-01T00:00:00.000Z",
        },
    )
    until = UtcMilliseconds(
        required=True,
        allow_none=True,
        metadata={
            "description": "They are of predictions before this moment; null: up to the last",
            "example": "2026-02-01T00:00:00.000Z",
        },
    )


class SummarySchema(CoveredSchema, FiguresSchema):
    """What the predictions of a time say together."""

    versions = fields.List(
        fields.Nested(VersionFiguresSchema),
        required=True,
        metadata={"description": "By version, in the order of names"},
    )
    sources = fields.List(
        fields.Nested(SourceFiguresSchema),
        required=True,
        allow_none=True,
        metadata={
            "description": f"By source that was said, the most frequent first, at most {MOST_SOURCES}; "
            "null when they are tens of thousands, as when each text has its own"
        },
    )
    source_count = fields.Integer(
        required=True,
        allow_none=True,
        metadata={
            "description": "How many sources there are, those that are not listed among them; null as `sources`",
            "minimum": 0,
            "example": 3,
        },
    )


class BucketFiguresSchema(FiguresSchema):
    """The predictions of one hour or day."""

    start = UtcMilliseconds(
        required=True, metadata={"description": "When the bucket starts", "example": "2026-01-01T00:00:00.000Z"}
    )


class TimeseriesSchema(CoveredSchema):
    """What the predictions of each hour or day say."""

    bucket = fields.Enum(Bucket, by_value=True, required=True, metadata={"description": "How long each item is"})
    items = fields.List(
        fields.Nested(BucketFiguresSchema),
        required=True,
        metadata={"description": "The buckets, oldest first, those without predictions too"},
    )


class ProportionSchema(Schema):
    """A proportion that was observed, and where the true one lies (95 % confidence, Wilson's score interval)."""

    value = _number("The proportion observed", 0.9, nullable=False)
    low = _number("The lower bound", 0.6985, nullable=False)
    high = _number("The upper bound", 0.9721, nullable=False)
    successes = _count("How many were so", 18)
    trials = _count("Of how many", 20)


def _proportion(description: str) -> fields.Nested:
    return fields.Nested(ProportionSchema, required=True, allow_none=True, metadata={"description": description})


class ComparedVersionSchema(VersionFiguresSchema):
    """One version beside the others."""

    feedback = _count("How many answers of people there are on its predictions", 20)
    accuracy = _proportion("How often people agreed with it; null without feedback")


class VersionsSchema(CoveredSchema):
    """The versions side by side."""

    predictions = _count("How many predictions there are of all versions", 100)
    items = fields.List(
        fields.Nested(ComparedVersionSchema), required=True, metadata={"description": "In the order of names"}
    )


class LabelAgreementSchema(Schema):
    """How right one label is."""

    label = _label("The label")
    precision = _proportion("Where the model said it: how often people did; null where it never did")
    recall = _proportion("Where people said it: how often the model did; null where they never did")


class PredictedCountsSchema(Schema):
    """How often the model predicted each label."""

    positive = _count("Predicted positive", 18)
    negative = _count("Predicted negative", 1)
    neutral = _count("Predicted neutral", 1)


class ConfusionSchema(Schema):
    """What the model predicted, by what people said."""

    positive = fields.Nested(PredictedCountsSchema, required=True, metadata={"description": "People said positive"})
    negative = fields.Nested(PredictedCountsSchema, required=True, metadata={"description": "People said negative"})
    neutral = fields.Nested(PredictedCountsSchema, required=True, metadata={"description": "People said neutral"})


class AgreementSchema(Schema):
    """How far people agreed with predictions."""

    feedback = _count("How many answers of people there are", 20)
    accuracy = _proportion("How often people said what the model said; null without feedback")
    labels = fields.List(
        fields.Nested(LabelAgreementSchema), required=True, metadata={"description": "By label: always all three"}
    )
    confusion = fields.Nested(
        ConfusionSchema, required=True, metadata={"description": "What the model predicted, by what people said"}
    )


class VersionAgreementSchema(AgreementSchema):
    """How far people agreed with one version."""

    model_version = fields.String(
        required=True, metadata={"description": "The version", "example": EXAMPLE_MODEL_VERSION}
    )


class AccuracySchema(CoveredSchema, AgreementSchema):
    """How far people agreed with the predictions of a time."""

    versions = fields.List(
        fields.Nested(VersionAgreementSchema),
        required=True,
        metadata={"description": "By version with feedback, in the order of names"},
    )
