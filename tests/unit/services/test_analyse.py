from fractions import Fraction

import pytest
from support import later
from word_artifact import NEGATIVE, NEUTRAL, POSITIVE

from finbert_api.domain.errors import DeadlinePassed, ModelUnavailable
from finbert_api.inference.unavailable_engine import UnavailableEngine
from finbert_api.services.analyse import AnalysisService
from finbert_api.services.scores import TEXTS_AT_A_TIME, ScoreService
from finbert_api.storage.cache import LocalCache, NoCache


@pytest.fixture
def service(engine):
    return AnalysisService(ScoreService(engine, LocalCache(100, 60), 10))


def test_each_sentence_is_scored_and_has_its_place(service):
    text = " Profit rose.\n\nSales fell. "
    analysis = service.analyse(text, later())
    assert [(sentence.text, sentence.sentiment.label) for sentence in analysis.sentences] == [
        ("Profit rose.", POSITIVE),
        ("Sales fell.", NEGATIVE),
    ]
    assert all(text[each.span.start : each.span.end] == each.text for each in analysis.sentences)
    assert [sentence.token_count for sentence in analysis.sentences] == [3, 3]
    assert analysis.label_counts == {POSITIVE: 1, NEGATIVE: 1, NEUTRAL: 0}
    assert (analysis.token_count, analysis.tokens_read) == (6, 6)
    assert analysis.model_version == "words-1.0.0"


def test_a_sentence_scores_as_the_text_alone_does(service, engine):
    (sentence,) = service.analyse("Profit rose.", later()).sentences
    assert sentence.sentiment == engine.score("Profit rose.", later()).sentiment


def test_what_stands_after_the_models_limit_is_read_too(service, engine):
    text = "x " * 110 + "fell " * 10
    assert engine.score(text, later()).sentiment.label is NEUTRAL
    (sentence,) = service.analyse(text, later()).sentences
    assert (sentence.windows, sentence.token_count, sentence.tokens_read) == (3, 120, 120)
    # Windows of 62 tokens, from 0, 47 and 58 on; each token counts once, however many of them hold it.
    parts = ["x " * 62, "x " * 62, "x " * 52 + "fell " * 10]
    weights = [47 + Fraction(11, 2) + Fraction(4, 3), Fraction(11, 2) + Fraction(4, 3) + Fraction(47, 2)]
    weights.append(120 - sum(weights))
    scored = [engine.score(part, later()).sentiment for part in parts]
    for label, score in sentence.sentiment.scores.items():
        exact = sum(Fraction(part.scores[label]) * weight for part, weight in zip(scored, weights, strict=True)) / 120
        assert abs(Fraction(score) - exact) <= Fraction(1, 20_000)


def test_a_document_of_more_sentences_than_go_at_a_time_is_read_whole(engine):
    service = AnalysisService(ScoreService(engine, NoCache(), 1))
    many = TEXTS_AT_A_TIME + 20
    words = ["rose" if number % 3 else "fell" for number in range(many)]
    text = " ".join(f"{word.title()} {'x ' * number}today." for number, word in enumerate(words))
    analysis = service.analyse(text, later())
    assert len(analysis.sentences) == many
    assert [sentence.token_count for sentence in analysis.sentences] == [number + 3 for number in range(many)]
    assert [sentence.sentiment.label for sentence in analysis.sentences][:50] == [
        POSITIVE if word == "rose" else NEGATIVE for word in words[:50]
    ]
    assert analysis.tokens_read == analysis.token_count


def test_a_document_of_no_words_is_analysed(service):
    analysis = service.analyse("\u200b", later())
    assert len(analysis.sentences) == 1
    assert analysis.sentiment.label in {POSITIVE, NEGATIVE, NEUTRAL}


def test_what_can_not_be_scored_is_told(service):
    with pytest.raises(DeadlinePassed):
        service.analyse("Profit rose.", later(-1))
    with pytest.raises(ModelUnavailable):
        AnalysisService(ScoreService(UnavailableEngine(), NoCache(), 1)).analyse("Profit rose.", later())
