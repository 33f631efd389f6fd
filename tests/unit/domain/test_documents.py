from decimal import Decimal

from finbert_api.domain.documents import AnalysedSentence, Analysis
from finbert_api.domain.sentences import Span
from finbert_api.domain.sentiment import Label, Sentiment


def sentence(positive, negative, tokens, read=None):
    neutral = 1 - Decimal(positive) - Decimal(negative)
    scores = dict(zip(Label, (Decimal(positive), Decimal(negative), neutral), strict=True))
    label = max(scores, key=scores.__getitem__)
    return AnalysedSentence(Span(0, 1), "x", Sentiment(label, scores), tokens, tokens if read is None else read, 1)


def test_a_document_weighs_its_sentences_by_their_tokens():
    analysis = Analysis([sentence("0.9", "0.0", 30), sentence("0.0", "1.0", 10)], "m-1")
    assert analysis.sentiment.label is Label.POSITIVE
    assert analysis.sentiment.scores == {
        Label.POSITIVE: Decimal("0.6750"), Label.NEGATIVE: Decimal("0.2500"), Label.NEUTRAL: Decimal("0.0750")
    }  # fmt: skip
    assert analysis.sentiment.sentiment_score == Decimal("0.4250")


def test_the_mean_score_weighs_them_alike():
    analysis = Analysis([sentence("0.9", "0.0", 30), sentence("0.0", "1.0", 10)], "m-1")
    assert analysis.mean_sentiment_score == Decimal("-0.0500")
    assert analysis.label_counts == {Label.POSITIVE: 1, Label.NEGATIVE: 1, Label.NEUTRAL: 0}


def test_what_was_not_read_shows():
    analysis = Analysis([sentence("0.9", "0.0", 30, read=20), sentence("0.0", "1.0", 10)], "m-1")
    assert (analysis.token_count, analysis.tokens_read) == (40, 30)


def test_a_sentence_without_tokens_counts_as_one():
    assert Analysis([sentence("0.9", "0.0", 0)], "m-1").sentiment.label is Label.POSITIVE
