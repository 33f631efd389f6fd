from hypothesis import given
from hypothesis import strategies as st

from finbert_api.modelling.scoring import batches_by_length


@given(st.lists(st.integers(1, 60), max_size=40), st.integers(10, 100))
def test_batches_hold_every_text_once_and_stay_within_the_limit(lengths, limit):
    batches = batches_by_length([[0] * length for length in lengths], limit)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= limit
