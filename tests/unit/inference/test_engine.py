import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import later, wait_for
from word_artifact import VOCABULARY, text_of

from finbert_api.domain.errors import DeadlinePassed, InferenceFailed, ModelUnavailable, Overloaded
from finbert_api.domain.sentiment import Label
from finbert_api.inference.engine import BatchingEngine
from finbert_api.inference.session import ModelSession
from finbert_api.inference.unavailable_engine import UnavailableEngine
from finbert_api.observability.prometheus import PrometheusMetrics
from finbert_api.settings import PROJECT_ROOT

POISON = VOCABULARY["fell"]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("The company beat earnings expectations and raised full-year guidance.", Label.POSITIVE),
        ("The company cut its guidance after a surprise loss and will lay off 500 people.", Label.NEGATIVE),
        ("The annual general meeting will be held in Helsinki on 4 April.", Label.NEUTRAL),
    ],
)
def test_the_bundled_model_reads_plain_news_rightly(engine, text, label):
    assert engine.score(text, later()).sentiment.label is label


def test_scores_say_what_was_read(engine):
    scored = engine.score("profit " * 600, later())
    assert (scored.token_count, scored.truncated) == (512, True)
    assert scored.model_version == engine.model_version
    assert scored.queue_seconds >= 0
    assert scored.inference_seconds > 0


def test_the_identity_is_that_of_graph_and_tokenizer(engine, make_engine):
    assert len(bytes.fromhex(engine.identity)) == 32
    assert engine.identity != make_engine().identity


class RecordingSession:
    """A real session, and the logits it gave for each row of token ids."""

    def __init__(self, session):
        self._session = session
        self.sizes = []
        self.logits = {}

    def run(self, batch):
        rows = self._session.run(batch)
        self.sizes.append(len(batch))
        for ids, row in zip(batch, rows, strict=True):
            self.logits.setdefault(tuple(ids), set()).add(row.tobytes())
        return rows


WORDS = "profit loss rose fell to EUR 13.1 mn from 8.7 the company's guidance, unhedged € 利润 🚀".split()  # noqa: SIM905 - reads better


@settings(max_examples=10)
@given(texts=st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=80).map(" ".join), min_size=2, max_size=12))
def test_a_text_scores_the_same_to_the_last_bit_alone_and_among_others(bundled_engine, texts):
    engine, recording = bundled_engine
    recording.logits.clear()
    alone = [engine.score(text, later()).sentiment for text in texts]
    recording.sizes.clear()
    together = [future.result().sentiment for future in [engine.submit(text, later()) for text in texts]]
    assert together == alone
    assert max(recording.sizes) > 1
    assert all(len(rows) == 1 for rows in recording.logits.values())


@pytest.fixture(scope="module")
def bundled_engine(engine):
    recording = RecordingSession(engine._session)
    batching = BatchingEngine(engine._manifest, engine._tokenizer, recording)
    yield batching, recording
    batching.close()


def test_an_idle_engine_starts_at_once_and_gathers_only_while_it_is_busy(busy, session):
    engine, first = busy()
    assert session.batches == [[3]]
    others = [engine.submit(text, later()) for text in ("rose", "fell", "rose rose")]
    session.let(2)
    wait([first, *others])
    assert session.batches == [[3], [3, 3, 4]]


def test_all_of_a_batch_are_told_before_the_first_caller_goes_on(busy, session):
    engine, _ = busy()
    futures, seen = [], []

    def tell(scored):
        seen.append((scored.sentiment.label, [future.done() for future in futures]))

    futures += [engine.submit(text, later(), tell) for text in ("rose", "fell")]
    session.let(2)
    wait(futures)
    assert seen == [(Label.POSITIVE, [False, False]), (Label.NEGATIVE, [False, False])]


def test_what_fails_once_a_text_is_scored_fails_that_text_alone(busy, session):
    engine, _ = busy()

    def fail(_scored):
        raise OSError(28, "full")

    failing, other = engine.submit("rose", later(), fail), engine.submit("fell", later())
    session.let(2)
    with pytest.raises(OSError, match="full"):
        failing.result()
    assert other.result().sentiment.label is Label.NEGATIVE


def test_batches_keep_the_budget_and_hold_similar_lengths(busy, session):
    engine, _ = busy(max_batch_tokens=40)
    futures = [engine.submit(text_of(tokens), later()) for tokens in (10, 20, 11, 64, 19, 9)]
    session.let(10)
    wait(futures)
    assert session.batches[1:] == [[9, 10, 11], [19, 20], [64]]


def test_the_oldest_is_in_the_next_batch_however_many_others_would_fit_better(busy, session):
    engine, _ = busy(max_batch_tokens=64)
    odd = engine.submit(text_of(60), later())
    short = [engine.submit(text_of(4), later()) for _ in range(40)]
    session.let()
    session.wait_for_run(2)
    assert session.batches[1] == [60]
    session.let(10)
    wait([odd, *short])


def test_a_text_whose_deadline_passed_while_it_waited_is_never_computed(busy, session):
    engine, first = busy()
    deadline = later(0.1)
    late = engine.submit(text_of(20), deadline)
    patient = engine.submit(text_of(21), later())
    wait_for(lambda: time.monotonic() > deadline, "the deadline")
    session.let(2)
    assert patient.result().token_count == 21
    assert first.result().token_count == 3
    with pytest.raises(DeadlinePassed):
        late.result()
    assert session.batches == [[3], [21]]


def test_a_text_whose_caller_left_is_never_computed(busy, session):
    engine, _ = busy()
    left = engine.submit(text_of(20), later())
    patient = engine.submit(text_of(21), later())
    assert left.cancel()
    session.let(2)
    assert patient.result().token_count == 21
    assert session.batches == [[3], [21]]


def test_waiting_ends_at_the_deadline_and_leaves_nothing_to_compute(busy, session):
    engine, first = busy()
    with pytest.raises(DeadlinePassed):
        engine.score(text_of(20), later(0.05))
    session.let(2)
    first.result()
    assert engine.score("rose", later()).token_count == 3
    assert session.batches == [[3], [3]]


def test_a_deadline_that_has_passed_is_told_at_once(make_engine, session):
    with pytest.raises(DeadlinePassed):
        make_engine().submit("rose", later(-1))
    assert session.batches == []


def fails_on_poison(batch):
    return (
        RuntimeError("Gather: index out of bounds\nof a client's text") if any(POISON in ids for ids in batch) else None
    )


@pytest.mark.parametrize("poisoned", [{0}, {4}, {2, 3}, {0, 1, 3, 4}])
def test_a_text_that_makes_its_batch_fail_fails_alone(busy, session, log_lines, poisoned):
    engine, first = busy()
    futures = [engine.submit("fell" if row in poisoned else "rose", later()) for row in range(5)]
    session.failure = fails_on_poison
    session.let(100)
    wait([first, *futures])
    assert {row for row, future in enumerate(futures) if future.exception()} == poisoned
    assert all(isinstance(futures[row].exception(), InferenceFailed) for row in poisoned)
    assert all(future.result().sentiment.label is Label.POSITIVE for future in futures if not future.exception())
    assert [(line["cause"], line["texts"], line["failed_texts"]) for line in log_lines()] == [
        ("RuntimeError: Gather: index out of bounds", 5, len(poisoned))
    ]


def test_a_run_that_fails_altogether_fails_its_callers_and_nobody_else(busy, session, log_lines):
    engine, first = busy()
    futures = [engine.submit("fell", later()) for _ in range(4)]
    session.failure = fails_on_poison
    session.let(100)
    assert all(isinstance(future.exception(), InferenceFailed) for future in futures)
    assert first.result().sentiment.label is Label.POSITIVE
    assert engine.score("rose", later()).sentiment.label is Label.POSITIVE
    assert [line["message"] for line in log_lines()] == ["a run failed"]


def test_a_batch_that_is_too_large_for_the_memory_is_run_in_parts(busy, session):
    engine, _ = busy()
    futures = [engine.submit("rose", later()) for _ in range(5)]
    session.failure = lambda batch: MemoryError() if len(batch) > 2 else None
    session.let(100)
    assert all(future.result().sentiment.label is Label.POSITIVE for future in futures)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_text_whose_logits_are_no_numbers_fails_alone(make_engine, words, value, log_lines):
    real = ModelSession(words.model_path)

    class Overflowing:
        def run(self, batch):
            rows = real.run(batch)
            rows[[POISON in ids for ids in batch], 0] = value
            return rows

    engine = make_engine(session=Overflowing())
    bad, good = engine.submit("fell", later()), engine.submit("rose", later())
    assert good.result().sentiment.label is Label.POSITIVE
    assert isinstance(bad.exception(), InferenceFailed)
    assert [line["message"] for line in log_lines()] == ["logits not usable"]


def test_a_text_that_cannot_be_tokenised_fails_alone_and_is_not_logged(make_engine, session, log_lines):
    engine = make_engine()
    session.let(1)
    with pytest.raises(InferenceFailed):
        engine.submit("secret \ud800", later())
    assert engine.score("rose", later()).sentiment.label is Label.POSITIVE
    assert [line["cause"] for line in log_lines()] == ["TypeError"]
    assert "secret" not in str(log_lines())


def test_more_tokens_than_may_wait_are_refused(busy):
    engine, _ = busy(max_queue_tokens=20)
    engine.submit(text_of(10), later())
    with pytest.raises(Overloaded):
        engine.submit(text_of(11), later())
    engine.submit(text_of(10), later())


def test_an_idle_engine_takes_a_text_of_any_size(make_engine, session):
    session.let()
    assert make_engine(max_queue_tokens=1, max_batch_tokens=1).score(text_of(30), later()).token_count == 30


def test_the_time_to_try_again_grows_with_the_backlog(busy):
    engine, _ = busy(max_queue_tokens=70)
    told = []
    for _ in range(3):
        engine.submit(text_of(20), later())
        with pytest.raises(Overloaded) as refused:
            engine.submit(text_of(60), later())
        told.append(refused.value.retry_after_seconds)
    assert told == pytest.approx([(3 + 20 * texts) / 1000 for texts in (1, 2, 3)])


def test_a_text_that_cannot_be_in_time_is_refused_at_once(busy):
    engine, _ = busy()
    for _ in range(40):
        engine.submit(text_of(60), later())
    with pytest.raises(Overloaded):  # before it is tokenised: this one can't be
        engine.submit("untokenisable \ud800", later(0.5))


def test_callers_in_many_threads_each_get_the_answer_to_their_own_text(make_engine, words):
    engine = make_engine(session=ModelSession(words.model_path), max_batch_tokens=128)
    label = {"rose": Label.POSITIVE, "fell": Label.NEGATIVE, "x": Label.NEUTRAL}
    asked = [(word, tokens) for tokens in range(3, 64) for word in label] * 4

    def is_right(question):
        word, tokens = question
        scored = engine.score(text_of(tokens, word), later())
        return (scored.sentiment.label, scored.token_count) == (label[word], tokens)

    with ThreadPoolExecutor(32) as pool:
        assert all(pool.map(is_right, asked))


def test_closing_fails_those_who_wait_and_answers_those_who_run(busy, session):
    engine, first = busy()
    waiting = engine.submit("rose", later())
    with ThreadPoolExecutor(1) as pool:
        closing = pool.submit(engine.close)
        assert isinstance(waiting.exception(), ModelUnavailable)
        session.let()
        closing.result()
    assert first.result().sentiment.label is Label.POSITIVE
    with pytest.raises(ModelUnavailable):
        engine.submit("rose", later())
    assert session.batches == [[3]]


def test_a_process_ends_in_the_middle_of_a_run_without_a_word():
    code = """
import time
from finbert_api.inference.registry import find_artifact, load_engine
from finbert_api.settings import BUNDLED_MODEL
engine = load_engine(find_artifact(BUNDLED_MODEL, None))
for _ in range(50):
    engine.submit("profit " * 60, time.monotonic() + 60)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_the_figures_of_the_queue_are_counted(busy, session):
    metrics = PrometheusMetrics()
    engine, first = busy(metrics=metrics)
    futures = [engine.submit(text, later()) for text in (text_of(4), text_of(6))]
    futures[0].cancel()
    assert "engine_queue_depth 2.0" in metrics.exposition().decode()
    session.let(2)
    wait([first, *futures])
    figures = metrics.exposition().decode()
    assert "engine_queue_depth 0.0" in figures
    assert "engine_batch_size_count 2.0" in figures
    assert "engine_batch_tokens_sum 9.0" in figures
    assert "engine_queue_duration_seconds_count 2.0" in figures
    assert "engine_padding_ratio_sum 0.0" in figures


def test_windows_of_a_text_that_cannot_be_tokenised_are_refused_without_its_words(make_engine, log_lines):
    with pytest.raises(InferenceFailed):
        make_engine().windows("secret \ud800")
    assert "secret" not in str(log_lines())


def test_without_a_model_nothing_is_predicted():
    engine = UnavailableEngine()
    assert engine.model_version is None
    assert engine.identity is None
    for ask in (engine.score, engine.submit):
        with pytest.raises(ModelUnavailable):
            ask("Profit rose.", later())
    with pytest.raises(ModelUnavailable):
        engine.submit_all(["Profit rose."], later())
    with pytest.raises(ModelUnavailable):
        engine.windows("Profit rose.")
    engine.close()
