"""Texts that come to the engine together, beside those that come alone."""

import time
from concurrent.futures import wait

import pytest
from support import later, wait_for
from word_artifact import text_of

from finbert_api.domain.errors import InferenceFailed, Overloaded
from finbert_api.domain.sentiment import Label
from finbert_api.inference.session import ModelSession


def test_texts_that_come_together_each_get_their_own_answer(make_engine, words):
    engine = make_engine(session=ModelSession(words.model_path), max_batch_tokens=64)
    label = {"rose": Label.POSITIVE, "fell": Label.NEGATIVE, "x": Label.NEUTRAL}
    asked = [(word, tokens) for tokens in range(3, 64) for word in label]
    futures = engine.submit_all([text_of(tokens, word) for word, tokens in asked], later())
    answers = [future.result() for future in futures]
    assert [(scored.sentiment.label, scored.token_count) for scored in answers] == [
        (label[word], tokens) for word, tokens in asked
    ]


def test_there_is_room_for_all_texts_or_for_none(busy, session):
    engine, _ = busy(max_queue_tokens=40)
    first = engine.submit_all([text_of(20)], later())
    with pytest.raises(Overloaded):
        engine.submit_all([text_of(10)] * 3, later())
    others = engine.submit_all([text_of(10)] * 2, later())
    session.let(10)
    wait([*first, *others])
    assert sum(map(len, session.batches)) == 4


def test_many_texts_leave_room_for_those_that_come_alone(busy, session):
    engine, _ = busy(max_queue_tokens=40, max_batch_tokens=40)
    many = engine.submit_all([text_of(10)] * 10, later())
    alone = engine.submit(text_of(40), later())
    with pytest.raises(Overloaded):
        engine.submit("rose", later())
    session.let(1)
    session.wait_for_run(2)
    with pytest.raises(Overloaded):
        engine.submit_all(["rose"], later())
    session.let(100)
    wait([*many, alone])
    assert engine._tokens_of_many == 0


def test_more_texts_than_may_ever_wait_are_taken_when_nobody_else_waits(busy, session):
    engine, _ = busy(max_queue_tokens=40)
    futures = engine.submit_all([text_of(10)] * 5, later())
    with pytest.raises(Overloaded):
        engine.submit_all([text_of(10)] * 5, later())
    session.let(10)
    assert [future.result().token_count for future in futures] == [10] * 5


def test_texts_that_cannot_be_in_time_together_are_refused_at_once(busy):
    engine, _ = busy(max_queue_tokens=100_000)
    with pytest.raises(Overloaded):
        engine.submit_all([text_of(60)] * 100, later(5))


def test_one_text_does_not_wait_for_all_of_many_that_came_before_it(busy, session):
    engine, _ = busy(max_batch_tokens=64)
    many = engine.submit_all([text_of(60)] * 100, later())
    one = engine.submit(text_of(4), later())
    session.let(30)
    assert one.result().token_count == 4
    assert not all(future.done() for future in many)
    session.let(100)
    wait(many)


def test_many_texts_are_not_kept_waiting_by_those_that_come_after_them(busy, session):
    engine, _ = busy(max_batch_tokens=64)
    many = engine.submit_all([text_of(60)] * 2, later())
    turn = engine._waiting[1].turn
    wait_for(lambda: time.monotonic() > turn, "the turn of the second")
    others = [engine.submit(text_of(4), later()) for _ in range(40)]
    session.let(3)
    session.wait_for_run(3)
    assert session.batches[1:3] == [[60], [60]]
    session.let(100)
    wait([*many, *others])


def test_a_text_of_many_that_cannot_be_tokenised_fails_alone(make_engine, session):
    session.let(10)
    bad, good = make_engine().submit_all(["half \ud800", "rose"], later())
    assert isinstance(bad.exception(), InferenceFailed)
    assert good.result().sentiment.label is Label.POSITIVE
