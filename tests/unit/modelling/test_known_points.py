import json

import numpy as np
import pytest

from finbert_api.domain.errors import CheckpointError, ParityError
from finbert_api.domain.sentiment import Label
from finbert_api.modelling.known_points import KNOWN_POINTS, KnownPoint, check_known_points, read_known_points

FINBERT = KNOWN_POINTS["ProsusAI/finbert"]
ORDER = tuple(Label)


def finbert_scores():
    """Scores as the real model publishes them; a label that was not published shares what is left."""
    rows = []
    for point in FINBERT:
        left = (1 - sum(point.scores.values())) / max(1, len(ORDER) - len(point.scores))
        rows.append([point.scores.get(label, left) for label in ORDER])
    return np.array(rows)


def test_the_published_scores_pass_and_their_distance_is_told():
    scores = finbert_scores()
    assert check_known_points(FINBERT, scores, ORDER) == 0
    assert check_known_points(FINBERT, scores + 0.009, ORDER) == pytest.approx(0.009)


def test_a_score_beyond_the_tolerance_is_refused_with_text_label_and_figures():
    scores = finbert_scores()
    scores[1, 2] -= 0.02
    with pytest.raises(ParityError, match=r"'no news' a neutral score of 0\.8767, published is 0\.8967; .* by 0\.01"):
        check_known_points(FINBERT, scores, ORDER)


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0), (2, 0, 1)])
def test_every_mixed_up_label_order_is_refused(order):
    with pytest.raises(ParityError):
        check_known_points(FINBERT, finbert_scores(), [ORDER[position] for position in order])


def test_a_score_that_is_not_a_number_is_refused():
    with pytest.raises(ParityError):
        check_known_points(FINBERT, finbert_scores() * np.nan, ORDER)


def test_points_are_read_from_a_file(tmp_path):
    path = tmp_path / "points.json"
    path.write_text(json.dumps({"model": "x", "points": [{"text": "no news", "neutral": 0.9, "negative": 0.07}]}))
    assert read_known_points(path) == (KnownPoint("no news", {Label.NEGATIVE: 0.07, Label.NEUTRAL: 0.9}),)


@pytest.mark.parametrize(
    "content",
    ["no json", "[]", "{}", '{"points": []}', '{"points": [{"neutral": 1}]}', '{"points": [{"text": "no score"}]}'],
)
def test_a_file_of_another_form_is_refused_by_name(tmp_path, content):
    path = tmp_path / "points.json"
    path.write_text(content)
    with pytest.raises(CheckpointError, match=r"points\.json"):
        read_known_points(path)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(CheckpointError, match=r"missing\.json"):
        read_known_points(tmp_path / "missing.json")
