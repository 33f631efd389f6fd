import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import later
from word_artifact import POSITIVE

from finbert_api.domain.errors import ModelUnavailable
from finbert_api.inference.unavailable_engine import UnavailableEngine
from finbert_api.services import explain
from finbert_api.services.explain import MOST_WORDS, ExplanationService, words
from finbert_api.services.scores import ScoreService
from finbert_api.storage.cache import NoCache


@pytest.fixture
def service(engine):
    return ExplanationService(ScoreService(engine, NoCache(), 1))


def test_the_change_of_a_word_is_what_leaving_it_out_does_to_the_labels_score(service, engine):
    text = "Sales, which rose."
    explanation = service.explain(text, later())
    whole = engine.score(text, later()).sentiment
    assert explanation.sentiment == whole
    assert [word.word for word in explanation.words] == ["Sales", "which", "rose"]
    for word, left in zip(explanation.words, (", which rose.", "Sales,  rose.", "Sales, which ."), strict=True):
        assert text[word.span.start : word.span.end] == word.word
        assert word.change == engine.score(left, later()).sentiment.scores[POSITIVE] - whole.confidence
    changes = [word.change for word in explanation.words]
    assert changes[:2] == [0, 0]
    assert changes[2] < -0.5
    assert (explanation.words_tried, explanation.word_count, explanation.truncated) == (3, 3, False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('The "guidance", it says, is $1.2 bn.', ["The", "guidance", "it", "says", "is", "$1.2", "bn"]),
        ("full-year don't 13.1% U.S.", ["full-year", "don't", "13.1%", "U.S"]),
        ("利润up 上升。", ["利", "润", "up", "上", "升"]),
        ("... - !", []),
        ("Überschuß, naïve\u00a0café", ["Überschuß", "naïve", "café"]),
    ],
)
def test_words_are_as_their_author_wrote_them(text, expected):
    assert [text[word.start : word.end] for word in words(text)] == expected


@given(st.text())
def test_words_stand_in_the_text_in_their_order(text):
    found = words(text)
    edges = [edge for word in found for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert all(text[word.start : word.end].strip() for word in found)


def test_leaving_a_word_out_leaves_everything_else(service, engine):
    text = "rose利fell"
    explanation = service.explain(text, later())
    whole = explanation.sentiment
    assert [word.change for word in explanation.words] == [
        engine.score(left, later()).sentiment.scores[whole.label] - whole.confidence
        for left in ("利fell", "rosefell", "rose利")
    ]


def test_of_many_words_the_first_are_tried_and_the_cap_is_told(service, monkeypatch):
    explanation = service.explain("rose " * 300, later())
    assert (explanation.words_tried, explanation.word_count) == (MOST_WORDS, 300)
    assert explanation.truncated
    monkeypatch.setattr(explain, "MOST_TOKENS", 640)
    explanation = service.explain("rose " * 300, later())
    assert (explanation.words_tried, explanation.word_count) == (10, 300)


def test_a_text_without_words_has_a_label_all_the_same(service):
    explanation = service.explain("!?", later())
    assert (explanation.words, explanation.word_count) == ([], 0)


def test_without_a_model_nothing_is_explained():
    with pytest.raises(ModelUnavailable):
        ExplanationService(ScoreService(UnavailableEngine(), NoCache(), 1)).explain("Profit rose.", later())
