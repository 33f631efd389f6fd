"""Many texts scored at once: each as if it had come alone, in one submission."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from support import later, wait_for
from word_artifact import NEGATIVE, NEUTRAL, POSITIVE

from finbert_api.domain.errors import DeadlinePassed, InferenceFailed, ModelUnavailable, Overloaded
from finbert_api.inference.unavailable_engine import UnavailableEngine
from finbert_api.services.scores import ScoreService
from finbert_api.storage.cache import LocalCache, NoCache

ALL = 1000
UNTOKENISABLE = "half \ud800"


@pytest.fixture
def service(make_engine):
    return ScoreService(make_engine(), LocalCache(100, 60), ALL)


@pytest.fixture
def pool(session):
    with ThreadPoolExecutor(8) as pool:
        yield pool
        session.let(ALL)


def labels(outcomes):
    return [outcome[0].sentiment.label if isinstance(outcome, tuple) else type(outcome) for outcome in outcomes]


def texts_run(session):
    return sum(map(len, session.batches))


def test_texts_are_scored_in_their_order_and_equal_ones_once(service, session):
    session.let(ALL)
    outcomes = service.score_all(["rose", "fell", "rose", "x"], later())
    assert labels(outcomes) == [POSITIVE, NEGATIVE, POSITIVE, NEUTRAL]
    assert [hit for _, hit in outcomes] == [False, False, True, False]
    assert outcomes[0][0].inference_seconds > outcomes[2][0].inference_seconds == 0
    assert texts_run(session) == 3
    assert service._flights == {}


def test_what_is_known_is_not_computed_again(service, session):
    session.let(ALL)
    alone, _ = service.score("rose", later())
    outcomes = service.score_all(["rose", "fell"], later())
    assert [hit for _, hit in outcomes] == [True, False]
    assert outcomes[0][0].sentiment == alone.sentiment
    assert service.score("fell", later())[1] is True
    assert texts_run(session) == 2


def test_no_texts_are_no_work(service, session):
    assert service.score_all([], later()) == []
    assert session.batches == []


def test_a_text_that_is_being_computed_is_waited_for(service, session, pool):
    first = pool.submit(service.score, "rose", later())
    session.wait_for_run(1)
    together = pool.submit(service.score_all, ["rose", "fell"], later())
    session.let(2)
    assert labels(together.result()) == [POSITIVE, NEGATIVE]
    assert first.result()[0].sentiment.label is POSITIVE
    assert texts_run(session) == 2


def test_who_asks_for_one_of_many_waits_for_the_many(service, session, pool):
    together = pool.submit(service.score_all, ["rose", "fell"], later())
    session.wait_for_run(1)
    one = pool.submit(service.score, "fell", later())
    wait_for(lambda: sum(len(flight._condition._waiters) for flight in list(service._flights.values())), "it to wait")
    session.let(ALL)
    assert one.result()[1] is True
    assert labels(together.result()) == [POSITIVE, NEGATIVE]
    assert texts_run(session) == 2


def test_callers_with_the_same_texts_in_other_orders_all_get_their_answers(service, session, pool):
    session.let(ALL)
    texts = [f"rose {'x ' * number}" for number in range(20)]
    askers = [pool.submit(service.score_all, texts[turn:] + texts[:turn], later()) for turn in range(8)]
    for asker in askers:
        assert labels(asker.result()) == [POSITIVE] * 20
    assert texts_run(session) == 20
    assert service._flights == {}


def test_a_text_that_fails_fails_alone(service, session):
    session.let(ALL)
    assert labels(service.score_all([UNTOKENISABLE.replace("\ud800", ""), "rose"], later())) == [NEUTRAL, POSITIVE]
    session.failure = lambda batch: RuntimeError("broken") if any(5 in ids for ids in batch) else None
    assert labels(service.score_all(["rose x", "fell", "x"], later())) == [POSITIVE, InferenceFailed, NEUTRAL]
    session.failure = lambda _batch: None
    assert labels(service.score_all(["fell"], later())) == [NEGATIVE]


def test_texts_that_run_out_of_time_say_so_each(service, session):
    assert labels(service.score_all(["rose", "fell"], later(0.2))) == [DeadlinePassed, DeadlinePassed]
    assert service._flights == {}
    session.let(ALL)
    assert labels(service.score_all(["rose", "fell"], later())) == [POSITIVE, NEGATIVE]


def test_without_room_for_all_none_is_taken_and_who_waits_is_told(make_engine, session, pool):
    service = ScoreService(make_engine(max_queue_tokens=20), NoCache(), ALL)
    running = pool.submit(service.score, "x", later())
    session.wait_for_run(1)
    waiting = pool.submit(service.score_all, ["x " * 10], later())
    wait_for(lambda: service._engine._waiting, "the second to wait")
    with pytest.raises(Overloaded):
        service.score_all(["rose " * 5, "fell " * 5], later())
    assert len(service._flights) == 2
    session.let(ALL)
    assert labels([running.result(), *waiting.result()]) == [NEUTRAL, NEUTRAL]
    assert texts_run(session) == 2


def test_they_wait_as_one_caller(make_engine, session, pool):
    service = ScoreService(make_engine(), NoCache(), 1)
    together = pool.submit(service.score_all, ["rose", "fell"], later())
    session.wait_for_run(1)
    with pytest.raises(Overloaded):
        service.score_all(["x"], later())
    session.let(ALL)
    assert labels(together.result()) == [POSITIVE, NEGATIVE]


def test_variants_are_computed_each_time_and_not_kept(service, session):
    session.let(ALL)
    for _ in range(2):
        assert [scored.sentiment.label for scored in service.score_variants(["rose", "fell"], later())] == [
            POSITIVE,
            NEGATIVE,
        ]
    assert texts_run(session) == 4
    assert service.score("rose", later())[1] is False


def test_variants_after_one_that_failed_are_not_computed(make_engine, session, pool):
    service = ScoreService(make_engine(max_batch_tokens=4), NoCache(), ALL)
    session.failure = lambda _batch: RuntimeError("broken") if len(session.batches) == 1 else None
    asked = pool.submit(service.score_variants, ["rose", *(f"x {number}" for number in range(40))], later())
    session.let(1)
    with pytest.raises(InferenceFailed):
        asked.result()
    session.let(ALL)
    assert service.score("fell", later())[0].sentiment.label is NEGATIVE
    assert len(session.batches) <= 3


def test_without_a_model_nothing_is_scored():
    service = ScoreService(UnavailableEngine(), NoCache(), ALL)
    for ask in (service.score_all, service.score_variants):
        with pytest.raises(ModelUnavailable):
            ask(["rose"], later())
    with pytest.raises(ModelUnavailable):
        service.windows("rose")
