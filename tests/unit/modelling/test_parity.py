from dataclasses import replace

import numpy as np
import pytest

from finbert_api.domain.errors import ParityError
from finbert_api.modelling.parity import HARD_TEXTS, Parity, calibration_texts, compare, parity_texts, require

FP32 = Parity("fp32", texts=300, max_difference=1e-5, mean_difference=1e-6, equal_labels=1.0)
INT8 = Parity("int8", texts=300, max_difference=0.3, mean_difference=0.004, equal_labels=0.995)


def test_figures_are_over_all_scores_and_all_texts():
    reference = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.1, 0.1, 0.8], [0.2, 0.6, 0.2]])
    scores = np.array([[0.7, 0.2, 0.1], [0.4, 0.5, 0.1], [0.1, 0.1, 0.8], [0.2, 0.5, 0.3]])
    parity = compare("int8", scores, reference)
    assert parity.texts == 4
    assert parity.equal_labels == 0.75
    assert parity.max_difference == pytest.approx(0.1)
    assert parity.mean_difference == pytest.approx(0.4 / 12)


@pytest.mark.parametrize("parity", [FP32, INT8, replace(FP32, max_difference=1e-4), replace(INT8, equal_labels=0.99)])
def test_figures_within_the_limits_pass(parity):
    require(parity)


@pytest.mark.parametrize(
    ("parity", "said"),
    [
        (replace(FP32, max_difference=0.00012), "fp32 differs .* largest score difference 0.00012 .*at most 0.0001"),
        (replace(FP32, max_difference=float("nan")), "fp32 differs .* nan"),
        (replace(INT8, equal_labels=0.98), "int8 differs .* share of equal labels 0.98 .*at least 0.99"),
        (replace(INT8, mean_difference=0.0123), "int8 differs .* mean score difference 0.0123 .*at most 0.01"),
        (replace(INT8, mean_difference=float("nan")), "int8 differs .* nan"),
        (replace(INT8, equal_labels=0.9, mean_difference=0.2), "equal labels 0.9 .*, mean score difference 0.2 "),
    ],
)
def test_a_miss_names_precision_figure_and_limit(parity, said):
    with pytest.raises(ParityError, match=said):
        require(parity)


def test_a_score_that_is_not_a_number_never_passes():
    reference = np.full((2, 3), 1 / 3)
    scores = reference.copy()
    scores[1, 1] = np.nan
    for precision in ("fp32", "int8"):
        with pytest.raises(ParityError):
            require(compare(precision, scores, reference))


def test_texts_are_a_few_hundred_from_one_word_to_more_than_the_model_reads(checkpoint):
    texts = parity_texts()
    lengths = [len(checkpoint.tokenizer(text)["input_ids"]) for text in texts]
    assert len(texts) >= 300
    assert set(HARD_TEXTS) <= set(texts)
    assert min(lengths) <= 4
    assert sum(length > 512 for length in lengths) >= 3
    assert texts == parity_texts()


def test_activations_are_measured_on_other_texts_than_the_gates():
    calibration = calibration_texts()
    assert len(calibration) == 1000
    assert not any(text in gate for gate in parity_texts() for text in calibration)
