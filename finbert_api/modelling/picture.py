"""An evaluation as a picture: confusion matrix, reliability diagram, macro-F1 by source."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from finbert_api.domain.sentiment import Label
from finbert_api.modelling.metrics import reliability


def draw_evaluation(path: Path, figures: dict[str, Any], true: Sequence[Label], scores: np.ndarray) -> None:
    """Writes an evaluation's `figures` as PNG; `true` and `scores` [texts, labels] are what they were computed from."""
    labels = list(Label)
    right = scores.argmax(axis=1) == [labels.index(label) for label in true]
    picture = Figure(figsize=(15, 4.6), layout="constrained")
    confusion, calibration, sources = picture.subplots(1, 3)
    _draw_confusion(confusion, np.array(figures["overall"]["confusion_matrix"]["rows_true"]), [*map(str, labels)])
    _draw_reliability(calibration, scores.max(axis=1), right.astype(float))
    _draw_sources(sources, {"overall": figures["overall"]} | figures["sources"])
    picture.suptitle(
        f"{figures['model_version']} ({figures['precision']}): macro-F1 {figures['overall']['macro_f1']:.3f}, "
        f"accuracy {figures['overall']['accuracy']:.3f}, calibration error "
        f"{figures['overall']['expected_calibration_error']:.3f}, {figures['overall']['texts']} test texts"
    )
    picture.savefig(path, dpi=110)


def _draw_confusion(axes: Axes, matrix: np.ndarray, names: list[str]) -> None:
    shares = matrix / matrix.sum(axis=1, keepdims=True).clip(min=1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(title="Confusion", xlabel="predicted", ylabel="true")
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    for (row, column), share in np.ndenumerate(shares):
        ink = "white" if share > 0.5 else "black"  # noqa: PLR2004 - where the shade turns dark
        axes.text(column, row, f"{matrix[row, column]}\n{share:.1%}", ha="center", va="center", color=ink)


def _draw_reliability(axes: Axes, confidences: np.ndarray, right: np.ndarray) -> None:
    bins = reliability(confidences, right)
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1)
    axes.plot([mean for mean, _, _ in bins], [share for _, share, _ in bins], marker="o")
    axes.set(title="Reliability", xlabel="mean confidence", ylabel="accuracy", xlim=(0.3, 1), ylim=(0, 1.02))


def _draw_sources(axes: Axes, summaries: dict[str, dict[str, Any]]) -> None:
    series = ["macro-F1", *map(str, Label)]
    width = 0.8 / len(series)
    for index, name in enumerate(series):
        values = [
            figures["macro_f1"] if name == "macro-F1" else figures["per_class"][name]["f1"]
            for figures in summaries.values()
        ]
        places = [position + index * width for position in range(len(values))]
        axes.bar(places, values, width, label=name)
    axes.set(title="F1 by source", ylim=(0, 1))
    axes.set_xticks([position + 1.5 * width for position in range(len(summaries))], list(summaries))
    axes.legend(loc="lower right", fontsize="small")
