"""The parity gate: an exported graph, run as serving runs it, must score texts as the PyTorch original does."""

from dataclasses import dataclass
from functools import cache
from itertools import islice

import numpy as np

from finbert_api.domain.errors import ParityError
from finbert_api.modelling.phrasebook import generate

# Largest score difference on any text.
FP32_MAX_DIFFERENCE = 1e-4
# Share of texts with the same label, and mean absolute score difference.
INT8_EQUAL_LABELS = 0.99
INT8_MEAN_DIFFERENCE = 0.01
LIMITS = {
    "fp32": {"max_difference": FP32_MAX_DIFFERENCE},
    "int8": {"equal_labels": INT8_EQUAL_LABELS, "mean_difference": INT8_MEAN_DIFFERENCE},
}

HARD_TEXTS = (
    "Profit",
    "Up 5 %",
    "...",
    "?!",
    "   \t  ",
    "🚀🚀 $TSLA to the moon 💎🙌",
    "公司第三季度净利润同比增长百分之二十。",
    "ارتفعت أرباح الشركة في الربع الثالث",
    "Société Générale's bénéfice chuté à 1,2 Md€ après une année difficile",
    "NETSALESFELLTOEUR12.4MNFROMEUR15.1MN" * 4,
    "EPS: $1.02 (vs. $0.98 exp.) | Rev: $3.4B (vs. $3.5B exp.)",
    "\u200bzero\u200bwidth and a \ufeffbyte order mark\u0000",
)
# So many sentences of the phrasebook make one text each: most are short, as requests are; the last is cut by any BERT.
SENTENCES_PER_TEXT = (1,) * 26 + (2,) * 6 + (4,) * 4 + (8,) * 2 + (16,) + (48,)
ROUNDS = 8
GATE_SENTENCES = sum(SENTENCES_PER_TEXT) * ROUNDS
# The last layer is computed for one token of each, whose activations are as many as these.
CALIBRATION_SENTENCES = 1000
SEED = 4


@dataclass(frozen=True, slots=True)
class Parity:
    """How far a precision is from PyTorch: over all scores of all texts, and the share of texts with equal labels."""

    precision: str
    texts: int
    max_difference: float
    mean_difference: float
    equal_labels: float


@cache
def _sentences() -> tuple[str, ...]:
    """Different sentences, the same in every run: first those of the gate, then those to calibrate on."""
    return tuple(example.text for example in generate(GATE_SENTENCES + CALIBRATION_SENTENCES, SEED))


def parity_texts() -> list[str]:
    """A few hundred texts of mixed length, from one word to more than 512 tokens; the same in every run."""
    sentences = iter(_sentences())
    return [*HARD_TEXTS, *(" ".join(islice(sentences, count)) for count in SENTENCES_PER_TEXT * ROUNDS)]


def calibration_texts() -> list[str]:
    """Sentences to measure activations on before they are quantised; none of them is in the gate's texts."""
    return list(_sentences()[GATE_SENTENCES:])


def compare(precision: str, scores: np.ndarray, reference: np.ndarray) -> Parity:
    """The figures of one precision's scores against PyTorch's, both [texts, labels]."""
    difference = np.abs(scores - reference)
    return Parity(
        precision=precision,
        texts=len(reference),
        max_difference=float(difference.max()),
        mean_difference=float(difference.mean()),
        equal_labels=float((scores.argmax(axis=1) == reference.argmax(axis=1)).mean()),
    )


def require(parity: Parity) -> None:
    """Raises ParityError naming the precision, each figure that misses its limit, and the limit; NaN misses all."""
    if parity.precision == "fp32":
        checks = [("largest score difference", parity.max_difference, "at most", FP32_MAX_DIFFERENCE)]
    else:
        checks = [
            ("share of equal labels", parity.equal_labels, "at least", INT8_EQUAL_LABELS),
            ("mean score difference", parity.mean_difference, "at most", INT8_MEAN_DIFFERENCE),
        ]
    misses = [
        f"{name} {figure:.3g} (limit: {bound} {limit:g})"
        for name, figure, bound, limit in checks
        if not (figure <= limit if bound == "at most" else figure >= limit)
    ]
    if misses:
        raise ParityError(f"{parity.precision} differs from PyTorch on {parity.texts} texts: {', '.join(misses)}")
