"""Figures that say how good a classifier is: accuracy, F1 by class, confusion, calibration error."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finbert_api.domain.sentiment import Label

CALIBRATION_BINS = 15


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Precision, recall and F1 of one label, from 0 to 1, and how many texts truly have it."""

    precision: float
    recall: float
    f1: float
    support: int


def confusion_matrix(true: Sequence[Label], predicted: Sequence[Label]) -> np.ndarray:
    """Counts, int64 [true label, predicted label], in the order of `Label`."""
    order = {label: position for position, label in enumerate(Label)}
    matrix = np.zeros((len(Label), len(Label)), dtype=np.int64)
    for true_label, predicted_label in zip(true, predicted, strict=True):
        matrix[order[true_label], order[predicted_label]] += 1
    return matrix


def class_figures(matrix: np.ndarray) -> dict[Label, ClassFigures]:
    """Figures by label of a confusion matrix [true, predicted]; a ratio with nothing below the line is 0."""
    figures = {}
    for position, label in enumerate(Label):
        right = int(matrix[position, position])
        support, predicted = int(matrix[position].sum()), int(matrix[:, position].sum())
        figures[label] = ClassFigures(
            precision=_ratio(right, predicted),
            recall=_ratio(right, support),
            f1=_ratio(2 * right, support + predicted),
            support=support,
        )
    return figures


def accuracy(matrix: np.ndarray) -> float:
    """Share of the texts on the diagonal of a confusion matrix."""
    return _ratio(int(np.trace(matrix)), int(matrix.sum()))


def macro_f1(matrix: np.ndarray) -> float:
    """Mean F1 of the labels that occur, as truth or as prediction, each counting the same however rare it is."""
    occurring = [
        figures.f1
        for position, figures in enumerate(class_figures(matrix).values())
        if matrix[position].any() or matrix[:, position].any()
    ]
    return sum(occurring) / len(occurring) if occurring else 0.0


def reliability(
    confidences: np.ndarray, right: np.ndarray, bins: int = CALIBRATION_BINS
) -> list[tuple[float, float, int]]:
    """(mean confidence, accuracy, texts) of each equally wide bin of confidence that holds texts.

    A bin holds the confidences above its lower edge and up to its upper edge.
    """
    position = np.clip(np.ceil(confidences * bins).astype(int) - 1, 0, bins - 1)
    return [
        (float(confidences[chosen].mean()), float(right[chosen].mean()), int(chosen.sum()))
        for chosen in (position == index for index in range(bins))
        if chosen.any()
    ]


def expected_calibration_error(confidences: np.ndarray, right: np.ndarray, bins: int = CALIBRATION_BINS) -> float:
    """Mean gap between confidence and accuracy, bins weighted by their texts; 0 is perfect.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 3.
    """
    gaps = (count * abs(mean - share) for mean, share, count in reliability(confidences, right, bins))
    return sum(gaps) / len(confidences) if len(confidences) else 0.0


def summary(true: Sequence[Label], scores: np.ndarray) -> dict[str, Any]:
    """All figures as plain JSON values; `scores` are probabilities [texts, labels] in the order of `Label`."""
    labels = list(Label)
    predicted = [labels[position] for position in scores.argmax(axis=1)]
    matrix = confusion_matrix(true, predicted)
    right = np.array([a == b for a, b in zip(true, predicted, strict=True)], dtype=float)
    return {
        "texts": len(true),
        "accuracy": round(accuracy(matrix), 4),
        "macro_f1": round(macro_f1(matrix), 4),
        "per_class": {
            label.value: {
                "precision": round(figures.precision, 4),
                "recall": round(figures.recall, 4),
                "f1": round(figures.f1, 4),
                "support": figures.support,
            }
            for label, figures in class_figures(matrix).items()
        },
        "confusion_matrix": {"labels": [label.value for label in labels], "rows_true": matrix.tolist()},
        "expected_calibration_error": round(expected_calibration_error(scores.max(axis=1), right), 4),
    }


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
