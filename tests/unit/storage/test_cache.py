import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finbert_api.domain.sentiment import Label, sentiment_of
from finbert_api.storage.cache import CachedScores, LocalCache, NoCache, cache_key, pack, unpack

LOGITS = st.lists(st.floats(-50, 50), min_size=3, max_size=3)


def scores(positive=0.0, token_count=7, truncated=False):
    return CachedScores(sentiment_of([positive, 0.5, 0.2], tuple(Label)), token_count, truncated)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@given(LOGITS, st.integers(2, 100_000), st.booleans())
def test_scores_come_out_as_they_went_in_to_the_last_digit(logits, token_count, truncated):
    kept = CachedScores(sentiment_of(logits, tuple(Label)), token_count, truncated)
    found = unpack(pack(kept))
    assert found == kept
    assert {label: str(score) for label, score in found.sentiment.scores.items()} == {
        label: str(score) for label, score in kept.sentiment.scores.items()
    }


@pytest.mark.parametrize("packed", [b"", pack(scores())[:-1], pack(scores()) + b"\0", b"hello, world", b'{"label": 1}'])
def test_other_bytes_are_no_scores(packed):
    assert unpack(packed) is None


def test_keys_differ_by_model_and_by_every_character_of_the_text():
    texts = ["Profit rose.", "profit rose.", "Profit rose. ", "Profit rose", "Profit róse."]
    keys = [cache_key(identity, text) for identity in ("a" * 64, "b" * 64) for text in texts]
    assert len(set(keys)) == len(keys)
    assert keys[0] == cache_key("a" * 64, "Profit rose.")
    assert {len(key) for key in keys} == {32}


def test_what_is_kept_is_found_until_its_time_is_over():
    clock = Clock()
    cache = LocalCache(10, 60, clock)
    cache.put(b"text", scores())
    clock.now += 59
    assert cache.get(b"text") == scores()
    clock.now += 1
    assert cache.get(b"text") is None


def test_being_asked_for_does_not_make_scores_younger_but_being_kept_again_does():
    clock = Clock()
    cache = LocalCache(10, 60, clock)
    cache.put(b"old", scores())
    cache.put(b"renewed", scores())
    clock.now += 40
    cache.get(b"old")
    cache.put(b"renewed", scores())
    clock.now += 40
    assert cache.get(b"old") is None
    assert cache.get(b"renewed") == scores()


def test_a_full_cache_makes_room_by_what_was_not_asked_for_longest():
    cache = LocalCache(2, 60)
    cache.put(b"first", scores(1))
    cache.put(b"second", scores(2))
    cache.get(b"first")
    cache.put(b"third", scores(3))
    assert cache.get(b"second") is None
    assert [cache.get(key) for key in (b"first", b"third")] == [scores(1), scores(3)]


@pytest.fixture
def restless_threads():
    """Threads that take turns at almost every step."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_many_threads_find_what_belongs_to_their_key(restless_threads):
    cache = LocalCache(50, 60)

    def use(number):
        key, kept = number % 100, scores(number % 100 / 10)
        cache.put(b"%d" % key, kept)
        return cache.get(b"%d" % key) in (kept, None)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(4000)))


def test_no_cache_keeps_nothing():
    cache = NoCache()
    cache.put(b"text", scores())
    assert cache.get(b"text") is None


def test_what_is_removed_is_gone_and_nothing_else():
    cache = LocalCache(10, 60)
    cache.put(b"text", scores())
    cache.put(b"other", scores())
    for _ in range(2):
        cache.remove(b"text")
    assert cache.get(b"text") is None
    assert cache.get(b"other") == scores()
    NoCache().remove(b"text")
