from decimal import Decimal

import pytest

from finbert_api.domain.sentiment import Label, Sentiment, pooled, sentiment_of, softmax

ORDER = (Label.POSITIVE, Label.NEGATIVE, Label.NEUTRAL)


def test_scores_are_softmax_rounded_to_four_decimals():
    sentiment = sentiment_of([2.0, 0.0, 1.0], ORDER)
    assert sentiment.scores == {
        Label.POSITIVE: Decimal("0.6652"),
        Label.NEGATIVE: Decimal("0.0900"),
        Label.NEUTRAL: Decimal("0.2447"),
    }
    assert sentiment.label is Label.POSITIVE
    assert sentiment.confidence == Decimal("0.6652")
    assert sentiment.sentiment_score == Decimal("0.5752")


def test_the_label_order_decides_what_a_logit_means():
    assert sentiment_of([5.0, 0.0, 0.0], (Label.NEUTRAL, Label.POSITIVE, Label.NEGATIVE)).label is Label.NEUTRAL


def test_the_label_comes_from_the_exact_scores_even_where_the_rounded_ones_tie():
    sentiment = sentiment_of([1.0, 1.00001, 0.0], ORDER)
    assert sentiment.scores[Label.POSITIVE] == sentiment.scores[Label.NEGATIVE]
    assert sentiment.label is Label.NEGATIVE


def test_softmax_survives_logits_that_would_overflow():
    assert softmax([1000.0, 0.0, -1000.0]) == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "logits", [[1.0, 2.0], [1.0, 2.0, 3.0, 4.0], [float("nan"), 0.0, 0.0], [float("inf"), 0.0, 0.0]]
)
def test_logits_that_mean_nothing_are_refused(logits):
    with pytest.raises(ValueError, match="finite, one for each label"):
        sentiment_of(logits, ORDER)


def test_a_sentiment_is_made_of_its_parts():
    scores = {Label.POSITIVE: Decimal("0.1"), Label.NEGATIVE: Decimal("0.7"), Label.NEUTRAL: Decimal("0.2")}
    assert Sentiment(label=Label.NEGATIVE, scores=scores).sentiment_score == Decimal("-0.6")


def sentiment(positive, negative, neutral):
    scores = dict(zip(Label, map(Decimal, (positive, negative, neutral)), strict=True))
    return Sentiment(label=max(scores, key=scores.__getitem__), scores=scores)


def test_the_pool_of_sentiments_weighs_each_score():
    pool = pooled([(sentiment("0.8", "0.1", "0.1"), 3), (sentiment("0.0", "0.5", "0.5"), Decimal("1.0"))])
    assert pool == Sentiment(
        Label.POSITIVE,
        {Label.POSITIVE: Decimal("0.6000"), Label.NEGATIVE: Decimal("0.2000"), Label.NEUTRAL: Decimal("0.2000")},
    )


def test_where_all_agree_the_pool_says_what_they_say():
    one = sentiment("0.1234", "0.5678", "0.3088")
    assert pooled([(one, 1), (one, 7), (one, Decimal(1) / 3)]) == one
