from concurrent.futures import ThreadPoolExecutor

import pytest

from finbert_api.domain.errors import ModelUnavailable
from finbert_api.domain.sentiment import Label
from finbert_api.inference.engine import UnavailableEngine


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("The company beat earnings expectations and raised full-year guidance.", Label.POSITIVE),
        ("The company cut its guidance after a surprise loss and will lay off 500 people.", Label.NEGATIVE),
        ("The annual general meeting will be held in Helsinki on 4 April.", Label.NEUTRAL),
    ],
)
def test_the_bundled_model_reads_plain_news_rightly(engine, text, label):
    assert engine.score(text).sentiment.label is label


def test_scores_say_what_was_read(engine):
    scored = engine.score("profit " * 600)
    assert (scored.token_count, scored.truncated) == (512, True)
    assert scored.model_version == engine.model_version
    assert scored.queue_seconds >= 0
    assert scored.inference_seconds > 0


def test_callers_in_many_threads_get_the_scores_of_their_own_text(engine):
    texts = [
        f"Profit rose to EUR {number} million from EUR {number - 7} million." * (number % 5 + 1) for number in range(40)
    ]
    alone = [engine.score(text).sentiment for text in texts]
    with ThreadPoolExecutor(8) as pool:
        together = [scored.sentiment for scored in pool.map(engine.score, texts)]
    assert together == alone


def test_without_a_model_nothing_is_predicted():
    engine = UnavailableEngine()
    assert engine.model_version is None
    with pytest.raises(ModelUnavailable):
        engine.score("Profit rose.")
