"""The sizes of the models that are measured, and what they cost."""

from dataclasses import dataclass
from typing import Any

import numpy as np

VOCABULARY = 30_522


@dataclass(frozen=True, slots=True)
class Shape:
    """A BERT's size; `inner` is the width between the two layers of its feed-forward part."""

    layers: int
    hidden: int
    inner: int
    heads: int = 12

    def flop(self, texts: int, tokens: int) -> int:
        """Floating-point (or integer) operations of the encoder's products for so many texts of so many tokens.

        Two for each multiply-add: four hidden x hidden and two hidden x inner weights for each token, and in the
        attention two products of every token with every other of its text.
        """
        weights = 4 * self.hidden * self.hidden + 2 * self.hidden * self.inner
        return 2 * self.layers * texts * tokens * (weights + 2 * tokens * self.hidden)


SHAPES = {"bert-base": Shape(layers=12, hidden=768, inner=3072), "compact": Shape(layers=6, hidden=384, inner=1536)}


def random_batch(texts: int, tokens: int) -> list[list[int]]:
    """So many rows of so many token ids, all different; the values do not matter to the speed."""
    generator: Any = np.random.default_rng(texts * 10_000 + tokens)
    rows: list[list[int]] = generator.integers(1_000, VOCABULARY, (texts, tokens)).tolist()
    return rows
