import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finbert_api.domain.sentiment import Label
from finbert_api.modelling.metrics import (
    accuracy,
    class_figures,
    confusion_matrix,
    expected_calibration_error,
    macro_f1,
    reliability,
    summary,
)

POSITIVE, NEGATIVE, NEUTRAL = Label
# Two of three positives found, one negative called positive, the neutral right.
TRUE = [POSITIVE, POSITIVE, POSITIVE, NEGATIVE, NEUTRAL]
PREDICTED = [POSITIVE, POSITIVE, NEUTRAL, POSITIVE, NEUTRAL]


def test_confusion_matrix_has_the_true_labels_as_rows():
    assert confusion_matrix(TRUE, PREDICTED).tolist() == [[2, 0, 1], [1, 0, 0], [0, 0, 1]]


def test_class_figures_are_those_of_the_textbook():
    figures = class_figures(confusion_matrix(TRUE, PREDICTED))

    assert figures[POSITIVE].precision == pytest.approx(2 / 3)
    assert figures[POSITIVE].recall == pytest.approx(2 / 3)
    assert figures[NEUTRAL].precision == pytest.approx(1 / 2)
    assert figures[NEUTRAL].recall == 1
    assert figures[NEUTRAL].f1 == pytest.approx(2 / 3)
    assert figures[POSITIVE].support == 3


def test_a_label_that_is_never_predicted_has_figures_of_zero():
    assert class_figures(confusion_matrix(TRUE, PREDICTED))[NEGATIVE].f1 == 0


def test_accuracy_and_macro_f1():
    matrix = confusion_matrix(TRUE, PREDICTED)

    assert accuracy(matrix) == pytest.approx(3 / 5)
    assert macro_f1(matrix) == pytest.approx((2 / 3 + 0 + 2 / 3) / 3)


def test_macro_f1_leaves_out_a_label_that_does_not_occur():
    assert macro_f1(confusion_matrix([POSITIVE, NEGATIVE], [POSITIVE, NEGATIVE])) == 1


def test_nothing_to_measure_gives_zeros():
    matrix = confusion_matrix([], [])

    assert accuracy(matrix) == 0
    assert macro_f1(matrix) == 0
    assert expected_calibration_error(np.array([]), np.array([])) == 0


def test_confidence_that_is_as_often_right_as_it_says_has_no_calibration_error():
    assert expected_calibration_error(np.full(4, 0.75), np.array([1.0, 1.0, 1.0, 0.0])) == pytest.approx(0)


def test_calibration_error_weighs_the_gap_of_each_bin_by_its_texts():
    confidences = np.array([0.95, 0.95, 0.95, 0.45])
    right = np.array([0.0, 0.0, 0.0, 1.0])

    assert expected_calibration_error(confidences, right) == pytest.approx(0.75 * 0.95 + 0.25 * 0.55)


def test_a_confidence_on_the_upper_edge_belongs_to_the_bin_below_it():
    assert reliability(np.array([0.5, 0.4]), np.array([1.0, 0.0]), bins=2) == [(pytest.approx(0.45), 0.5, 2)]


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1))
def test_calibration_error_lies_between_zero_and_one(pairs):
    confidences = np.array([confidence for confidence, _ in pairs])
    right = np.array([float(correct) for _, correct in pairs])

    assert 0 <= expected_calibration_error(confidences, right) <= 1
    assert sum(count for _, _, count in reliability(confidences, right)) == len(pairs)


def test_summary_takes_the_columns_of_the_scores_in_the_order_of_the_labels():
    scores = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]])

    figures = summary([POSITIVE, NEGATIVE, POSITIVE], scores)

    assert figures["texts"] == 3
    assert figures["accuracy"] == 0.6667
    assert figures["confusion_matrix"] == {
        "labels": ["positive", "negative", "neutral"],
        "rows_true": [[1, 0, 1], [0, 1, 0], [0, 0, 0]],
    }
    assert figures["per_class"]["positive"] == {"precision": 1.0, "recall": 0.5, "f1": 0.6667, "support": 2}
