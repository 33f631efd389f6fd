"""Texts as requests bring them: sentences of the phrasebook, each with a number of its own, so that none is another."""

import random
from collections.abc import Sequence

from benchmarks.load import FIRST_SERIAL
from finbert_api.inference.tokenizer import TextTokenizer
from finbert_api.modelling.phrasebook import generate

SENTENCES = 256
_SEED = 7


def sentences(count: int = SENTENCES) -> list[str]:
    """So many different sentences, the same in every run, in an order that says nothing about their length."""
    chosen = [example.text for example in generate(count, _SEED)]
    random.Random(_SEED).shuffle(chosen)  # noqa: S311 - an order, no secrets
    return chosen


def numbered(sentence: str, serial: int) -> str:
    """The text that the load generator sends: the sentence and a serial number."""
    return f"{sentence} ({serial})"


def token_ids(tokenizer: TextTokenizer, chosen: Sequence[str]) -> list[list[int]]:
    """Token ids of the sentences as they are sent, each with the serial number of its place."""
    return [tokenizer.tokenize(numbered(text, FIRST_SERIAL + row)).ids for row, text in enumerate(chosen)]
