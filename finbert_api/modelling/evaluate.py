"""How good an artifact is: its own ONNX graph on the test split, and its agreement with the real FinBERT.

Nothing here needs PyTorch: what is measured is what is served.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from finbert_api.domain.errors import CorpusError
from finbert_api.domain.progress import Progress, silent
from finbert_api.domain.sentiment import Label
from finbert_api.inference.artifact import Artifact, read_artifact, verify_files, write_manifest
from finbert_api.inference.tokenizer import TextTokenizer
from finbert_api.modelling.corpus import ORIGINS, generated_corpus, normalised, read_corpus, split
from finbert_api.modelling.examples import Example
from finbert_api.modelling.metrics import summary
from finbert_api.modelling.scoring import onnx_scores

_LABELS = list(Label)
_TWEETS_FILE = "golden/prasad11s_tfns_argmax.csv"
_NEWS_FILE = "golden/ludwigenvall_news_finbert_probs.csv"
_GOLDEN_URLS = {
    _TWEETS_FILE: "https://github.com/prasad11s/finbert-llm-explainability",
    _NEWS_FILE: "https://github.com/ludwigenvall/stock-sentiment-analysis",
}


@dataclass(frozen=True, slots=True)
class GoldenNews:
    """A news text and the scores, in the order of `Label`, that ProsusAI/finbert gave it."""

    text: str
    scores: list[float]


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """What an evaluation reads: the test split, ProsusAI/finbert's own answers, and what could not be had.

    `finbert_tweets` maps the text of a tweet to ProsusAI/finbert's label. `missing` are lines for people, one for each
    part that is left out, with where to get it.
    """

    examples: list[Example]
    finbert_tweets: dict[str, Label]
    finbert_news: list[GoldenNews]
    missing: list[str]


def read_evaluation_set(directory: Path | None) -> EvaluationSet:
    """The test split of the data in a directory; of the generated sentences alone when there is none.

    Raises CorpusError when the directory lacks a labelled source or holds a file that can't be read. ProsusAI/finbert's
    answers are optional.
    """
    generated, _ = generated_corpus()
    if directory is None:
        missing = [
            f"not evaluated: {origin.source}. Get {origin.name} ({origin.license}) from {origin.url}, put it at "
            f"DIR/{origin.path} and give --data DIR"
            for origin in ORIGINS
        ]
        return EvaluationSet(split(generated).test, {}, [], missing)
    examples, _ = read_corpus(directory)
    missing = [
        f"not measured: agreement with ProsusAI/finbert on {path}. Its source is {url}"
        for path, url in _GOLDEN_URLS.items()
        if not (directory / path).is_file()
    ]
    return EvaluationSet(
        examples=split(examples + generated).test,
        finbert_tweets=_finbert_tweets(directory / _TWEETS_FILE),
        finbert_news=_finbert_news(directory / _NEWS_FILE),
        missing=missing,
    )


def score_texts(artifact: Artifact, texts: Sequence[str], progress: Progress = silent) -> np.ndarray:
    """Scores after softmax, float64 [texts, labels], in the order of `Label`.

    Raises ArtifactError when a file of the artifact is missing, altered or can't be loaded.
    """
    verify_files(artifact)
    manifest = artifact.manifest
    tokenizer = TextTokenizer(artifact.tokenizer_path, manifest.max_tokens)
    scores = onnx_scores(artifact.model_path, tokenizer, texts, progress, manifest.model_version)
    return scores[:, [manifest.labels.index(label) for label in _LABELS]]


def report(
    artifact: Artifact, evaluation_set: EvaluationSet, scores: np.ndarray, progress: Progress = silent
) -> dict[str, Any]:
    """All figures of an artifact as plain JSON values: overall, by source, and agreement with ProsusAI/finbert.

    `scores` are those of the test examples, [examples, labels].
    """
    examples = evaluation_set.examples
    figures: dict[str, Any] = {
        "model_version": artifact.manifest.model_version,
        "precision": artifact.manifest.precision,
        "overall": summary([example.label for example in examples], scores),
        "sources": {},
        "finbert_agreement": {},
    }
    for source in sorted({example.source for example in examples}):
        chosen = [position for position, example in enumerate(examples) if example.source == source]
        figures["sources"][source] = summary([examples[position].label for position in chosen], scores[chosen])
    pairs = [
        (_LABELS[row.argmax()], evaluation_set.finbert_tweets[example.text])
        for example, row in zip(examples, scores, strict=True)
        if example.text in evaluation_set.finbert_tweets
    ]
    if pairs:
        figures["finbert_agreement"]["tweets"] = {"texts": len(pairs), "same_label": _same(pairs)}
    if evaluation_set.finbert_news:
        figures["finbert_agreement"]["news"] = _news_agreement(artifact, evaluation_set.finbert_news, progress)
    return figures


def macro_f1_difference(figures: dict[str, Any], other: dict[str, Any]) -> dict[str, float]:
    """Macro-F1 of the first report minus that of the other, in points of 100, overall and by source."""
    pairs = {"overall": (figures["overall"], other["overall"])} | {
        source: (figures["sources"][source], other["sources"][source]) for source in figures["sources"]
    }
    return {name: round(100 * (ours["macro_f1"] - theirs["macro_f1"]), 2) for name, (ours, theirs) in pairs.items()}


def record_evaluation(directory: Path, figures: dict[str, Any]) -> None:
    """Writes the figures into the manifest of the artifact in a directory, under `evaluation`."""
    write_manifest(directory, replace(read_artifact(directory).manifest, evaluation=figures))


def _news_agreement(artifact: Artifact, news: list[GoldenNews], progress: Progress) -> dict[str, Any]:
    scores = score_texts(artifact, [golden.text for golden in news], progress)
    theirs = np.array([golden.scores for golden in news])
    pairs = [(_LABELS[a], _LABELS[b]) for a, b in zip(scores.argmax(axis=1), theirs.argmax(axis=1), strict=True)]
    return {
        "texts": len(news),
        "same_label": _same(pairs),
        "mean_absolute_score_difference": round(float(np.abs(scores - theirs).mean()), 4),
    }


def _same(pairs: list[tuple[Label, Label]]) -> float:
    return round(sum(ours == theirs for ours, theirs in pairs) / len(pairs), 4)


def _finbert_tweets(path: Path) -> dict[str, Label]:
    return {normalised(row["text"]): Label(row["predicted_label"]) for row in _rows(path, "text", "predicted_label")}


def _finbert_news(path: Path) -> list[GoldenNews]:
    columns = [f"sentiment_{label}" for label in _LABELS]
    return [
        GoldenNews(row["combined_text"], [float(row[column]) for column in columns])
        for row in _rows(path, "combined_text", *columns)
    ]


def _rows(path: Path, *columns: str) -> list[dict[str, str]]:
    """The rows of an optional CSV file. Raises CorpusError when it is there but lacks a column."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        lacking = set(columns) - set(reader.fieldnames or ())
        if lacking:
            raise CorpusError(f"{path} has no column {', '.join(sorted(lacking))}")
        return list(reader)
