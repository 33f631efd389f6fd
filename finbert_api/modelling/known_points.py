"""Scores that others have published for a model: they prove that weights are the right ones and labels in order."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finbert_api.domain.errors import CheckpointError, ParityError
from finbert_api.domain.sentiment import Label

TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class KnownPoint:
    """A text and the scores published for it, of one label or more."""

    text: str
    scores: Mapping[Label, float]


KNOWN_POINTS: dict[str, tuple[KnownPoint, ...]] = {
    "ProsusAI/finbert": (
        KnownPoint(
            "Stocks rallied and the British pound gained.",
            {Label.POSITIVE: 0.898361325, Label.NEGATIVE: 0.034473564, Label.NEUTRAL: 0.067165136},
        ),
        KnownPoint(
            "no news",
            {Label.POSITIVE: 0.032240734, Label.NEGATIVE: 0.071087025, Label.NEUTRAL: 0.896672189},
        ),
        KnownPoint(
            "Stocks making the biggest moves midday: Nvidia, Palantir and more",
            {Label.NEUTRAL: 0.806263089},
        ),
        KnownPoint("The economy showed significant growth.", {Label.POSITIVE: 0.948479950}),
        KnownPoint("Investors are optimistic about the market.", {Label.POSITIVE: 0.673505366}),
    ),
}


def read_known_points(path: Path) -> tuple[KnownPoint, ...]:
    """The points of a JSON file: `{"points": [{"text": ..., "positive": 0.9, ...}, ...]}`, at least one label each.

    Raises CheckpointError when the file can't be read so.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        points = tuple(
            KnownPoint(point["text"], {label: float(point[label]) for label in Label if label in point})
            for point in document["points"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} can't be read as known points: {error!r}") from error
    if not points or not all(point.scores for point in points):
        raise CheckpointError(f"{path} has no known points, or one without a score")
    return points


def check_known_points(points: Sequence[KnownPoint], scores: np.ndarray, labels: Sequence[Label]) -> float:
    """The largest difference between a model's scores [points, labels] and the published ones.

    Raises ParityError, naming the text, when one is above TOLERANCE: other weights, or labels in another order.
    """
    largest = 0.0
    for point, row in zip(points, scores, strict=True):
        for label, published in point.scores.items():
            score = float(row[labels.index(label)])
            difference = abs(score - published)
            if not difference <= TOLERANCE:
                raise ParityError(
                    f"this is not the model it should be: it gives {point.text!r} a {label} score of {score:.4f}, "
                    f"published is {published:.4f}; they may differ by {TOLERANCE}"
                )
            largest = max(largest, difference)
    return largest
