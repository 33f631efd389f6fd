import time

import pytest

from finbert_api.deployment.deadline import Deadline


def test_it_counts_up_and_down():
    deadline = Deadline(100)
    assert 0 <= deadline.passed < 10
    assert 90 < deadline.left <= 100
    assert deadline.left + deadline.passed == pytest.approx(100, abs=1)


def test_a_sleep_ends_with_the_deadline_and_the_next_is_none():
    began = time.monotonic()
    deadline = Deadline(0.05)
    assert deadline.sleep(60)
    assert 0.05 <= time.monotonic() - began < 10
    assert not deadline.sleep(60)
    assert deadline.left == 0


def test_one_that_is_negative_has_come():
    assert Deadline(-1).left == 0
