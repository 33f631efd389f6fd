import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from held_session import HeldSession
from support import later, wait_for
from word_artifact import NEGATIVE, POSITIVE, write_artifact

from finbert_api.domain.errors import DeadlinePassed, InferenceFailed, ModelUnavailable, Overloaded
from finbert_api.inference.batching import EngineLimits
from finbert_api.inference.engine import BatchingEngine
from finbert_api.inference.session import ModelSession
from finbert_api.inference.tokenizer import TextTokenizer
from finbert_api.inference.unavailable_engine import UnavailableEngine
from finbert_api.services.scores import ScoreService
from finbert_api.storage.cache import LocalCache, NoCache

CALLERS = 8
ALL = 1000


@contextmanager
def started_engine(artifact, limits=None):
    session = HeldSession(ModelSession(artifact.model_path))
    tokenizer = TextTokenizer(artifact.tokenizer_path, artifact.manifest.max_tokens)
    engine = BatchingEngine(artifact.manifest, tokenizer, session, limits)
    try:
        yield engine, session
    finally:
        session.let(ALL)
        engine.close()


@pytest.fixture
def engine_and_session(words):
    with started_engine(words) as both:
        yield both


@pytest.fixture
def engine(engine_and_session):
    return engine_and_session[0]


@pytest.fixture
def session(engine_and_session):
    return engine_and_session[1]


@pytest.fixture
def pool(session):
    """Callers in threads of their own; whatever fails, the session runs in the end, so that they end too."""
    with ThreadPoolExecutor(CALLERS) as pool:
        yield pool
        session.let(ALL)


def texts_run(session):
    return sum(map(len, session.batches))


def followers(service):
    """How many callers wait for what another finds."""
    return sum(len(flight._condition._waiters) for flight in list(service._flights.values()))


def lead(pool, service, session, deadline=None):
    """A caller whose text is in the session when this returns."""
    leader = pool.submit(service.score, "rose", deadline or later())
    session.wait_for_run(1)
    return leader


def follow(pool, service, count):
    """Callers that all wait for another's answer when this returns."""
    callers = [pool.submit(service.score, "rose", later()) for _ in range(count)]
    wait_for(lambda: followers(service) == count, "the others to wait for the first")
    return callers


def test_identical_texts_that_arrive_together_run_once(engine, session, pool):
    service = ScoreService(engine, NoCache(), ALL)
    leader = lead(pool, service, session)
    others = follow(pool, service, CALLERS - 1)
    session.let(ALL)
    scored, is_hit = leader.result()
    assert not is_hit
    for other in others:
        found, is_hit = other.result()
        assert is_hit
        assert (found.sentiment, found.token_count, found.truncated, found.model_version) == (
            scored.sentiment, scored.token_count, scored.truncated, scored.model_version
        )  # fmt: skip
        assert found.inference_seconds == 0
        assert found.queue_seconds > 0
    assert texts_run(session) == 1


def test_however_callers_meet_no_text_runs_twice(engine, session):
    session.let(ALL)
    service = ScoreService(engine, LocalCache(100, 60), ALL)
    texts = ["rose " * number for number in range(1, 31)]
    with ThreadPoolExecutor(CALLERS) as pool:
        hits = [hit for _, hit in pool.map(lambda text: service.score(text, later()), texts * CALLERS)]
        hits += [hit for _, hit in pool.map(lambda text: service.score(text, later()), sorted(texts * CALLERS))]
    assert texts_run(session) == len(texts)
    assert hits.count(False) == len(texts)


def test_identical_texts_that_meet_at_every_moment_run_once(engine, session):
    session.let(ALL)
    service = ScoreService(engine, LocalCache(100, 60), ALL)
    start = threading.Barrier(CALLERS)

    def meet(_caller):
        for number in range(1, 31):
            start.wait()
            service.score("fell " * number, later())

    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(meet, range(CALLERS)))
    assert texts_run(session) == 30
    assert service._flights == {}


def test_a_text_scored_before_is_found_with_the_same_scores(engine, session):
    session.let(ALL)
    service = ScoreService(engine, LocalCache(100, 60), ALL)
    computed, was_there = service.score("rose fell", later())
    found, is_there = service.score("rose fell", later())
    assert (was_there, is_there) == (False, True)
    assert found.sentiment == computed.sentiment
    assert (found.token_count, found.truncated) == (computed.token_count, computed.truncated)
    assert found.model_version == computed.model_version
    assert (found.queue_seconds, found.inference_seconds) == (0, 0)
    assert texts_run(session) == 1


def test_who_comes_while_scores_are_being_kept_neither_waits_for_that_nor_scores_again(engine, session, pool):
    class SlowlyKeeping(LocalCache):
        keeping = threading.Event()
        gate = threading.Event()

        def put(self, key, scores):
            self.keeping.set()
            self.gate.wait(30)
            super().put(key, scores)

    session.let(ALL)
    service = ScoreService(engine, cache := SlowlyKeeping(100, 60), ALL)
    leader = pool.submit(service.score, "rose", later())
    assert cache.keeping.wait(30)
    assert service.score("rose", later())[1] is True
    cache.gate.set()
    assert leader.result()[1] is False
    assert texts_run(session) == 1


def test_two_models_never_share_an_answer(engine, session, tmp_path):
    cache = LocalCache(100, 60)
    session.let(ALL)
    with started_engine(write_artifact(tmp_path / "other", rose=NEGATIVE)) as (other_engine, other_session):
        other_session.let(ALL)
        one, other = ScoreService(engine, cache, ALL), ScoreService(other_engine, cache, ALL)
        assert one.score("rose", later())[0].sentiment.label is POSITIVE
        assert other.score("rose", later())[0].sentiment.label is NEGATIVE
        assert one.score("rose", later())[0].sentiment.label is POSITIVE
        assert (texts_run(session), texts_run(other_session)) == (1, 1)


def test_when_the_first_runs_out_of_time_another_takes_over(engine, session, pool):
    service = ScoreService(engine, NoCache(), ALL)
    leader = lead(pool, service, session, deadline=later(0.5))
    others = follow(pool, service, CALLERS - 1)
    with pytest.raises(DeadlinePassed):
        leader.result()
    wait_for(lambda: followers(service) == CALLERS - 2, "one of the others to take over")
    session.let(ALL)
    answers = [other.result() for other in others]
    assert {scored.sentiment.label for scored, _ in answers} == {POSITIVE}
    assert [is_hit for _, is_hit in answers].count(False) == 1


def test_when_the_first_leaves_another_takes_over(engine, session, pool):
    session.let(ALL)

    class LeftOnce(NoCache):
        """The thread of the first caller is ended in the middle of its search."""

        gate = threading.Event()
        was_left = False

        def get(self, key):
            if not self.was_left:
                self.was_left = True
                self.gate.wait(30)
                raise SystemExit

    service = ScoreService(engine, cache := LeftOnce(), ALL)
    leader = pool.submit(service.score, "rose", later())
    wait_for(lambda: cache.was_left, "the first to lead")
    others = follow(pool, service, CALLERS - 1)
    cache.gate.set()
    with pytest.raises(SystemExit):
        leader.result()
    assert {other.result()[0].sentiment.label for other in others} == {POSITIVE}


def test_who_waits_for_another_gives_up_at_its_own_deadline(engine, session, pool):
    service = ScoreService(engine, NoCache(), ALL)
    leader = lead(pool, service, session)
    with pytest.raises(DeadlinePassed):
        service.score("rose", later(0.1))
    session.let(ALL)
    assert leader.result()[0].sentiment.label is POSITIVE


def test_a_text_that_fails_fails_for_all_who_wait_and_is_tried_again_afterwards(engine, session, pool):
    service = ScoreService(engine, LocalCache(100, 60), ALL)
    session.failure = lambda _batch: RuntimeError("the session broke")
    leader = lead(pool, service, session)
    others = follow(pool, service, CALLERS - 1)
    session.let(ALL)
    for caller in (leader, *others):
        with pytest.raises(InferenceFailed):
            caller.result()
    assert texts_run(session) == 1
    session.failure = lambda _batch: None
    assert service.score("rose", later())[1] is False


def test_when_the_engine_has_no_room_for_the_first_it_has_none_for_the_others(words):
    class SlowCache(NoCache):
        gate = threading.Event()
        asked = threading.Event()

        def get(self, key):
            self.asked.set()
            self.gate.wait(30)

    with started_engine(words, EngineLimits(max_queue_tokens=1)) as (engine, session), ThreadPoolExecutor(4) as pool:
        running = engine.submit("fell", later())
        service = ScoreService(engine, cache := SlowCache(), ALL)
        leader = pool.submit(service.score, "rose", later())
        assert cache.asked.wait(30)
        others = follow(pool, service, 3)
        cache.gate.set()
        for caller in (leader, *others):
            with pytest.raises(Overloaded):
                caller.result()
        session.let(ALL)
        assert running.result().sentiment.label is NEGATIVE


def test_without_a_model_nothing_is_scored():
    with pytest.raises(ModelUnavailable):
        ScoreService(UnavailableEngine(), NoCache(), ALL).score("rose", later())


def test_as_many_callers_wait_as_may_those_for_a_first_one_too(engine, session, pool):
    service = ScoreService(engine, LocalCache(100, 60), 3)
    session.let(1)
    service.score("known", later())
    leader = pool.submit(service.score, "rose", later())
    session.wait_for_run(2)
    others = follow(pool, service, 2)
    for text in ("rose", "fell"):
        with pytest.raises(Overloaded):
            service.score(text, later())
    assert service.score("known", later())[1] is True
    assert service.refusal("known") is None
    assert service.refusal("fell").retry_after_seconds == engine.backlog_seconds > 0
    session.let(ALL)
    for caller in (leader, *others):
        assert caller.result()[0].sentiment.label is POSITIVE
    assert service.score("fell", later())[0].sentiment.label is NEGATIVE


def test_who_computes_is_told_before_the_answer_and_who_finds_is_not(engine, session):
    session.let(ALL)
    service = ScoreService(engine, LocalCache(100, 60), ALL)
    told = []
    for _ in range(2):
        scored, _ = service.score("rose", later(), then=told.append)
    assert [each.sentiment for each in told] == [scored.sentiment]


def test_what_is_told_and_fails_fails_the_answer_alone(engine, session):
    session.let(ALL)
    service = ScoreService(engine, LocalCache(100, 60), ALL)

    def fail(_scored):
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError):
        service.score("rose", later(), then=fail)
    assert service._flights == {}
    assert service.score("rose", later())[0].sentiment.label is POSITIVE
