import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from finbert_api.modelling.rounding import compensated, nearest

WEIGHTS = arrays(np.float32, (6, 3), elements=st.floats(-100, 100, width=32))


@given(WEIGHTS, st.sampled_from([0, 1]), st.sampled_from([63, 127]))
def test_nearest_is_within_half_a_step(values, axis, limit):
    integers, scale = nearest(values, axis, limit)
    assert integers.dtype == np.int8
    assert np.abs(integers).max() <= limit
    assert scale.shape == ((1, 3) if axis == 0 else (6, 1))
    assert (np.abs(integers * scale - values) <= scale * 0.5001).all()


@pytest.fixture
def correlated():
    """Activations as a network's are: a few directions carry most of them, and their mean is not zero."""
    rng = np.random.default_rng(8)
    directions = rng.normal(size=(6, 150))
    return (rng.normal(size=(2000, 6)) @ directions + 0.3 * rng.normal(size=(2000, 150)) + 1).astype(np.float32)


@pytest.mark.parametrize("limit", [63, 127])
def test_compensated_changes_products_less_than_nearest(correlated, limit):
    weight = np.random.default_rng(9).normal(size=(150, 20)).astype(np.float32)
    seen, fresh = correlated[:1500], correlated[1500:]
    errors = [
        np.square(fresh @ (integers * scale - weight)).mean()
        for integers, scale in (nearest(weight, 0, limit), compensated(weight, seen.T @ seen, limit))
    ]
    assert errors[1] < 0.2 * errors[0]


def test_compensated_keeps_to_the_limit_and_to_the_scale_of_nearest(correlated):
    weight = np.random.default_rng(9).normal(size=(150, 20)).astype(np.float32)
    integers, scale = compensated(weight, correlated.T @ correlated, 63)
    assert integers.dtype == np.int8
    assert np.abs(integers).max() == 63
    assert np.array_equal(scale, nearest(weight, 0, 63)[1])


def test_without_correlation_there_is_nothing_to_compensate():
    weight = np.random.default_rng(9).normal(size=(150, 20)).astype(np.float32)
    integers, _ = compensated(weight, np.eye(150, dtype=np.float32), 127)
    assert np.array_equal(integers, nearest(weight, 0, 127)[0])


@pytest.mark.parametrize("moments", [np.zeros((4, 4)), np.diag([1, 0, 2, 0])])
def test_channels_that_never_spoke_are_rounded_all_the_same(moments):
    weight = np.array([[1, 0], [0.5, 0], [-2, 0], [0.25, 0]], dtype=np.float32)
    integers, scale = compensated(weight, moments.astype(np.float32), 127)
    assert (np.abs(integers * scale - weight) <= scale * 0.5001).all()
