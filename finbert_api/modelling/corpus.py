"""Labelled texts from files that the user fetched, and the split that keeps variants of one text together."""

import csv
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finbert_api.domain.errors import CorpusError
from finbert_api.domain.sentiment import Label
from finbert_api.modelling.examples import Example
from finbert_api.modelling.phrasebook import SOURCE as GENERATED
from finbert_api.modelling.phrasebook import generate

HEADLINES, TWEETS = "headlines", "tweets"
SPLIT_SEED = 13
GENERATED_COUNT = 16_000
_TWEET_LABELS = {0: Label.POSITIVE, 1: Label.NEGATIVE, 2: Label.NEUTRAL}
# The cells look like Python dictionaries, but apostrophes inside names are not escaped, so only the values are read.
_DECISION = re.compile(r""":\s*['"](positive|negative|neutral)['"]""")
_VARYING = re.compile(r"https?://\S+|[$@#][\w.]+|\d[\d.,]*|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a user gets one of the files, and under which licence."""

    name: str
    source: str
    license: str
    path: str
    url: str


ORIGINS = (
    Origin(
        name="SEntFiN 1.0",
        source=HEADLINES,
        license="MIT",
        path="sentfin/SEntFiN.csv",
        url="https://github.com/pyRis/SEntFiN",
    ),
    Origin(
        name="Twitter Financial News Sentiment",
        source=TWEETS,
        license="MIT",
        path="tfns/train.json",
        url="https://huggingface.co/datasets/zeroshot/twitter-financial-news-sentiment",
    ),
)


@dataclass(frozen=True, slots=True)
class Splits:
    """The three parts of a corpus; no group is in more than one of them."""

    train: list[Example]
    validation: list[Example]
    test: list[Example]


@dataclass(frozen=True, slots=True)
class DataRecord:
    """What the manifest says about one source of training data; `rows` are the texts that are used."""

    name: str
    source: str
    license: str
    origin: str
    rows: int
    sha256: str

    def as_json(self) -> dict[str, Any]:
        """The record as plain JSON values."""
        return asdict(self)


def read_corpus(directory: Path) -> tuple[list[Example], list[DataRecord]]:
    """Headlines and tweets under a directory, each text once, and the record of each file.

    A text that occurs with two labels is left out. Raises CorpusError when a file is missing or can't be read.
    """
    examples: list[Example] = []
    for origin in ORIGINS:
        path = directory / origin.path
        if not path.is_file():
            raise CorpusError(f"{path} is missing: get {origin.name} ({origin.license}) from {origin.url}")
        reader = _headlines if origin.source == HEADLINES else _tweets
        try:
            pairs = list(reader(path))
        except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
            raise CorpusError(f"{path} can't be read as {origin.name}: {error!r}") from error
        examples += [Example(text, label, group_of(text), origin.source) for text, label in pairs]
    kept = _without_duplicates(examples)
    records = [
        DataRecord(
            name=origin.name,
            source=origin.source,
            license=origin.license,
            origin=origin.url,
            rows=sum(example.source == origin.source for example in kept),
            sha256=hashlib.sha256((directory / origin.path).read_bytes()).hexdigest(),
        )
        for origin in ORIGINS
    ]
    return kept, records


def generated_corpus(count: int = GENERATED_COUNT, seed: int = SPLIT_SEED) -> tuple[list[Example], DataRecord]:
    """Sentences of the phrasebook and their record; the digest is that of the texts and labels."""
    examples = generate(count, seed)
    lines = "".join(f"{example.label}\t{example.text}\n" for example in examples)
    record = DataRecord(
        name="Phrasebook of company-report sentences",
        source=GENERATED,
        license="the licence of this project",
        origin="finbert_api.modelling.phrasebook",
        rows=len(examples),
        sha256=hashlib.sha256(lines.encode()).hexdigest(),
    )
    return examples, record


def split(examples: Iterable[Example], seed: int = SPLIT_SEED) -> Splits:
    """About 80 % of the groups for training, 10 % each for validation and test, in the order given.

    The part of a group hangs on its name and the seed alone, so it stays when other texts come or go.
    """
    parts = Splits(train=[], validation=[], test=[])
    for example in examples:
        bucket = hashlib.sha256(f"{seed}:{example.group}".encode()).digest()[0] / 256
        part = parts.test if bucket < 0.1 else parts.validation if bucket < 0.2 else parts.train  # noqa: PLR2004 - the shares that the docstring gives
        part.append(example)
    return parts


def group_of(text: str) -> str:
    """The words of a text without links, tickers, names of accounts, numbers and punctuation: its near duplicates."""
    words = _VARYING.sub(" ", text.lower()).split()
    return " ".join(words) or text.lower()


def normalised(text: str) -> str:
    """The text with every run of white space as one blank."""
    return " ".join(text.split())


def _headlines(path: Path) -> Iterator[tuple[str, Label]]:
    """Headlines whose entities all have one and the same label."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            labels = set(_DECISION.findall(row["Decisions"]))
            if len(labels) == 1:
                yield normalised(row["Title"]), Label(labels.pop())


def _tweets(path: Path) -> Iterator[tuple[str, Label]]:
    for row in json.loads(path.read_text(encoding="utf-8")):
        yield normalised(row["sentence"]), _TWEET_LABELS[row["label"]]


def _without_duplicates(examples: Iterable[Example]) -> list[Example]:
    first: dict[str, Example] = {}
    labels: dict[str, set[Label]] = {}
    for example in examples:
        key = example.text.lower()
        first.setdefault(key, example)
        labels.setdefault(key, set()).add(example.label)
    return [example for key, example in first.items() if len(labels[key]) == 1 and example.text]
