"""Figures over many predictions: summary, time series, versions, accuracy."""

from datetime import datetime
from typing import Any, TypedDict

from flask import g

from finbert_api.api.container import container
from finbert_api.api.parsing import StrictBlueprint
from finbert_api.api.schemas.analytics import (
    AccuracySchema,
    SummaryQuerySchema,
    SummarySchema,
    TimeseriesQuerySchema,
    TimeseriesSchema,
    VersionQuerySchema,
    VersionsSchema,
    WindowQuerySchema,
)
from finbert_api.domain.analytics import Agreement, Bucket, Figures, Window, share
from finbert_api.domain.sentiment import Label

blueprint = StrictBlueprint(
    "analytics",
    __name__,
    url_prefix="/analytics",
    description="Exact figures over predictions: a client's own, an admin's of every key",
)


class WindowArguments(TypedDict):
    """WindowQuerySchema, loaded."""

    since: datetime | None
    until: datetime | None


class VersionArguments(WindowArguments):
    """VersionQuerySchema, loaded."""

    model_version: str | None


class SummaryArguments(VersionArguments):
    """SummaryQuerySchema, loaded."""

    source: str | None


class TimeseriesArguments(SummaryArguments):
    """TimeseriesQuerySchema, loaded."""

    bucket: Bucket


@blueprint.route("/summary")
@blueprint.arguments(SummaryQuerySchema, location="query")
@blueprint.response(200, SummarySchema)
def summary(arguments: SummaryArguments) -> dict[str, Any]:
    """Sum up predictions by label, version and source.

    Figures are exact, and of one moment; latencies are within 5 %. Days are summed up already, so that a year costs
    no more than its days.
    """
    found = container().analytics.summary(_window(arguments), arguments["source"], arguments["model_version"], g.caller)
    return {
        **_covered(found.window),
        **_figures(found.figures),
        "versions": [_version(name, figures, found.figures) for name, figures in found.versions.items()],
        "sources": None
        if found.sources is None
        else [
            {
                "source": source,
                "predictions": figures.predictions,
                "share": share(figures.predictions, found.figures.predictions),
                "confidence": figures.confidence,
            }
            for source, figures in found.sources.items()
        ],
        "source_count": found.source_count,
    }


@blueprint.route("/timeseries")
@blueprint.arguments(TimeseriesQuerySchema, location="query")
@blueprint.response(200, TimeseriesSchema)
def timeseries(arguments: TimeseriesArguments) -> dict[str, Any]:
    """Follow predictions over hours or days.

    Every bucket from the first to the last is there, also one without predictions.
    """
    series = container().analytics.series(
        arguments["bucket"], _window(arguments), arguments["source"], arguments["model_version"], g.caller
    )
    return {
        "bucket": series.bucket,
        **_covered(series.window),
        "items": [{"start": start, **_figures(figures)} for start, figures in series.buckets],
    }


@blueprint.route("/versions")
@blueprint.arguments(WindowQuerySchema, location="query")
@blueprint.response(200, VersionsSchema)
def versions(arguments: WindowArguments) -> dict[str, Any]:
    """Compare the versions that predicted: what they say, how fast, and how often people agree."""
    found = container().analytics.versions(_window(arguments), g.caller)
    return {
        **_covered(found.window),
        "predictions": found.figures.predictions,
        "items": [
            {
                **_version(name, figures, found.figures),
                "feedback": agreement.feedback,
                "accuracy": agreement.accuracy,
            }
            for name, figures, agreement in found.versions
        ],
    }


@blueprint.route("/accuracy")
@blueprint.arguments(VersionQuerySchema, location="query")
@blueprint.response(200, AccuracySchema)
def accuracy(arguments: VersionArguments) -> dict[str, Any]:
    """Tell how right people find the predictions.

    By the feedback on the predictions of the time, whenever it was given; each key's feedback on a prediction counts.
    """
    found = container().analytics.accuracy(_window(arguments), arguments["model_version"], g.caller)
    return {
        **_covered(found.window),
        **_agreement(found.agreement),
        "versions": [{"model_version": name, **_agreement(agreement)} for name, agreement in found.versions.items()],
    }


def _window(arguments: WindowArguments) -> Window:
    return Window(arguments["since"], arguments["until"])


def _covered(window: Window) -> dict[str, Any]:
    return {"since": window.since, "until": window.until}


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "predictions": figures.predictions,
        "confidence": figures.confidence,
        "latency_ms": figures.latency_ms,
        "labels": [
            {
                "label": label,
                "predictions": figures.count(label),
                "share": share(figures.count(label), figures.predictions),
                "confidence": figures.confidence_of(label),
            }
            for label in Label
        ],
    }


def _version(name: str, figures: Figures, whole: Figures) -> dict[str, Any]:
    return {"model_version": name, "share": share(figures.predictions, whole.predictions), **_figures(figures)}


def _agreement(agreement: Agreement) -> dict[str, Any]:
    return {
        "feedback": agreement.feedback,
        "accuracy": agreement.accuracy,
        "labels": [
            {"label": label, "precision": agreement.precision(label), "recall": agreement.recall(label)}
            for label in Label
        ],
        "confusion": {
            said.value: {predicted.value: agreement.confusion.get((said, predicted), 0) for predicted in Label}
            for said in Label
        },
    }
