"""An engine waits a moment for the callers that it answered, so that their next texts share a run."""

from concurrent.futures import wait

import pytest
from support import later
from word_artifact import text_of

from finbert_api.domain.errors import ModelUnavailable


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Has engines wait for callers until they are back, however long that takes."""
    monkeypatch.setattr("finbert_api.inference.batching._RETURN_SECONDS", 1e9)
    monkeypatch.setattr("finbert_api.inference.batching._SHARE_OF_RUN", 1e12)


def test_a_caller_that_asks_again_at_once_shares_the_next_run(busy, session):
    engine, first = busy()
    other = engine.submit(text_of(20), later())
    session.let(3)
    first.result()
    again = engine.submit(text_of(10), later())
    wait([other, again], timeout=60)
    assert session.batches == [[3], [10, 20]]


def test_nobody_is_waited_for_while_a_batch_waits(busy, session):
    engine, _ = busy(max_batch_tokens=60)
    others = [engine.submit(text_of(20), later()) for _ in range(3)]
    session.let(2)
    wait(others, timeout=60)
    assert session.batches == [[3], [20, 20, 20]]


def test_those_whose_texts_came_together_are_not_waited_for(make_engine, session):
    engine = make_engine()
    session.let(2)
    wait(engine.submit_all(["rose", "fell"], later()))
    assert engine.score("rose", later()).token_count == 3
    assert session.batches == [[3, 3], [3]]


def test_an_engine_that_waits_for_callers_ends_when_it_is_closed(busy, session):
    engine, first = busy()
    other = engine.submit(text_of(20), later())
    session.let(1)
    first.result()
    engine.close()
    with pytest.raises(ModelUnavailable):
        other.result()
    assert not any(thread.is_alive() for thread in engine._threads)
