import pytest
from hypothesis import given
from hypothesis import strategies as st

from finbert_api.inference.batching import TokenRate, WaitingText, next_batch, token_count


def waiting(*lengths):
    return [WaitingText(ids=[0] * length, truncated=False, deadline=0.0, arrived=0.0, turn=0.0) for length in lengths]


def lengths_of(batch):
    return [len(text.ids) for text in batch]


@given(st.lists(st.integers(1, 512), min_size=1, max_size=60), st.integers(1, 4096))
def test_a_batch_keeps_the_budget_and_never_leaves_the_oldest_behind(lengths, budget):
    texts = waiting(*lengths)
    batch = next_batch(texts, budget)
    assert batch[0] is texts[0]
    assert len(set(batch)) == len(batch)
    assert set(batch) <= set(texts)
    assert len(batch) == 1 or len(batch) * max(lengths_of(batch)) <= budget


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
        ([30, 500, 31, 29, 5], 93, [30, 31, 29]),
        ([500, 30, 31], 100, [500]),
        ([10, 10, 10, 10], 30, [10, 10, 10]),
        ([10, 60, 9], 40, [10, 9]),
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
