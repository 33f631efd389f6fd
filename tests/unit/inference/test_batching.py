import pytest
from hypothesis import given
from hypothesis import strategies as st

from finbert_api.inference.batching import (
    ReturningCallers,
    TokenRate,
    WaitingText,
    batches_by_length,
    next_batch,
    token_count,
)


def waiting(*lengths):
    return [WaitingText(ids=[0] * length, truncated=False, deadline=0.0, arrived=0.0, turn=0.0) for length in lengths]


def lengths_of(batch):
    return [len(text.ids) for text in batch]


@given(st.lists(st.integers(1, 512), min_size=1, max_size=60), st.integers(1, 4096))
def test_a_batch_keeps_the_budget_and_never_leaves_the_oldest_behind(lengths, budget):
    texts = waiting(*lengths)
    batch = next_batch(texts, budget)
    assert texts[0] in batch
    assert len(set(batch)) == len(batch)
    assert set(batch) <= set(texts)
    assert len(batch) == 1 or len(batch) * max(lengths_of(batch)) <= budget


@given(st.lists(st.integers(1, 60), max_size=40), st.integers(10, 100))
def test_batches_hold_every_text_once_and_stay_within_the_limit(lengths, limit):
    batches = batches_by_length([[0] * length for length in lengths], limit)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= limit


@given(st.lists(st.integers(1, 512), min_size=1, max_size=60), st.integers(1, 4096))
def test_a_batch_is_in_the_order_of_lengths(lengths, budget):
    batch = lengths_of(next_batch(waiting(*lengths), budget))
    assert batch == sorted(batch)


@given(st.lists(st.integers(1, 512), min_size=1, max_size=60), st.integers(1, 4096))
def test_nothing_that_would_fit_is_left_behind(lengths, budget):
    texts = waiting(*lengths)
    batch = next_batch(texts, budget)
    longest = max(lengths_of(batch))
    left = set(texts) - set(batch)
    assert all(max(longest, len(text.ids)) * (len(batch) + 1) > budget for text in left)


@pytest.mark.parametrize(
    ("lengths", "budget", "expected"),
    [
        ([30, 500, 31, 29, 5], 93, [29, 30, 31]),
        ([500, 30, 31], 100, [500]),
        ([10, 10, 10, 10], 30, [10, 10, 10]),
        ([10, 60, 9], 40, [9, 10]),
    ],
)
def test_the_oldest_is_joined_by_those_nearest_to_it_in_length(lengths, budget, expected):
    assert lengths_of(next_batch(waiting(*lengths), budget)) == expected


def test_tokens_are_counted_without_padding():
    assert token_count(waiting(3, 50)) == 53


def test_the_rate_follows_the_runs():
    rate = TokenRate()
    for _ in range(100):
        rate.add(64, 0.001)
    assert rate.per_second == pytest.approx(64_000, rel=0.01)
    rate.add(64, 1.0)
    assert rate.per_second < 10_000


def returning(callers, run_seconds):
    """Those of a run that took so long and ended at 100 s."""
    these = ReturningCallers()
    these.answered(callers, run_seconds, now=100.0)
    return these


def test_nobody_is_waited_for_before_the_first_answers():
    assert ReturningCallers().wait_seconds(100.0) <= 0


def test_callers_are_waited_for_while_they_keep_coming():
    callers = returning(3, run_seconds=1.0)
    assert callers.wait_seconds(100.0) == pytest.approx(0.004)
    callers.arrived(100.003)
    assert callers.wait_seconds(100.003) == pytest.approx(0.004)
    assert callers.wait_seconds(100.005) == pytest.approx(0.002)
    assert callers.wait_seconds(100.008) <= 0


def test_nobody_is_waited_for_once_all_are_back():
    callers = returning(2, run_seconds=1.0)
    callers.arrived(100.001)
    callers.arrived(100.002)
    assert callers.wait_seconds(100.002) <= 0


def test_callers_are_waited_for_no_longer_than_a_quarter_of_their_run():
    callers = returning(100, run_seconds=0.020)
    for milliseconds in range(1, 5):
        callers.arrived(100 + milliseconds / 1000)
    assert callers.wait_seconds(100.004) == pytest.approx(0.001)
    assert callers.wait_seconds(100.006) <= 0
