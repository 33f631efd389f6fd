import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finbert_api.domain.analytics import (
    MOST_BUCKETS,
    Agreement,
    Bucket,
    Figures,
    Window,
    agreement_of,
    proportion,
    series_window,
    share,
    total,
)
from finbert_api.domain.sentiment import Label

NOW = datetime(2026, 11, 21, 20, 30, 15, 250, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(day, hour=0, minute=0):
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def test_a_bucket_starts_and_ends_on_the_hour_or_at_midnight():
    assert (Bucket.HOUR.start(NOW), Bucket.HOUR.end(NOW)) == (at(21, 20), at(21, 21))
    assert (Bucket.DAY.start(NOW), Bucket.DAY.end(NOW)) == (at(21), at(22))


def test_a_moment_where_a_bucket_starts_is_the_end_of_the_one_before():
    assert Bucket.HOUR.start(at(21, 20)) == Bucket.HOUR.end(at(21, 20)) == at(21, 20)


MOMENTS = st.datetimes(timezones=st.just(UTC))


@given(st.none() | MOMENTS, st.none() | MOMENTS, st.sampled_from(Bucket))
def test_every_window_can_be_widened_and_parted(since, until, bucket):
    window = Window(since, until).widened(bucket)
    assert [part for _, part in window.parts()]
    start, end = series_window(bucket, Window(since, until), NOW)
    assert start <= end
    assert (end - start) / bucket.length == (end - start) // bucket.length <= MOST_BUCKETS


HOURS = st.none() | st.integers(0, 24 * 6).map(lambda hours: at(10) + hours * HOUR)


@given(HOURS, HOURS)
def test_the_parts_of_a_window_cover_each_of_its_hours_once_and_no_other(since, until):
    everything = [at(8) + number * HOUR for number in range(24 * 10)]
    covered = []
    for bucket, part in Window(since, until).parts():
        first, last = part.since or everything[0], part.until or everything[-1] + HOUR
        assert bucket is Bucket.HOUR or first == Bucket.DAY.start(first)
        assert bucket is Bucket.HOUR or last == Bucket.DAY.start(last)
        covered += [hour for hour in everything if first <= hour < last]
    expected = [hour for hour in everything if (not since or since <= hour) and (not until or hour < until)]
    assert sorted(covered) == expected


def test_a_window_of_weeks_is_read_from_days_but_for_its_ends():
    parts = dict.fromkeys(bucket for bucket, _ in Window(at(1, 22), at(20, 3)).parts())
    assert list(parts) == [Bucket.DAY, Bucket.HOUR]
    hours = [part for bucket, part in Window(at(1, 22), at(20, 3)).parts() if bucket is Bucket.HOUR]
    assert hours == [Window(at(1, 22), at(2)), Window(at(20), at(20, 3))]


@pytest.mark.parametrize(
    ("bucket", "since", "until", "expected"),
    [
        (Bucket.HOUR, None, None, (at(20, 21), at(21, 21))),
        (Bucket.DAY, None, None, (datetime(2026, 10, 23, tzinfo=UTC), at(22))),
        (Bucket.HOUR, at(20, 5, 59), at(20, 7, 1), (at(20, 5), at(20, 8))),
        (Bucket.DAY, at(20, 5), at(20, 7), (at(20), at(21))),
        (Bucket.HOUR, at(20, 8), at(20, 7), (at(20, 7), at(20, 7))),
        (Bucket.HOUR, datetime(2000, 1, 1, tzinfo=UTC), at(21), (at(21) - MOST_BUCKETS * HOUR, at(21))),
    ],
)
def test_a_series_covers_whole_buckets_up_to_a_bound(bucket, since, until, expected):
    assert series_window(bucket, Window(since, until), NOW) == expected


def test_a_moment_of_another_zone_lies_in_a_bucket_of_utc():
    tokyo = timezone(timedelta(hours=9))
    assert Bucket.DAY.start(datetime(2026, 11, 22, 5, tzinfo=tokyo).astimezone(UTC)) == at(21)


def latency_class(latency):
    return math.ceil(math.log(max(latency, 0.05)) / math.log(1.1))


@given(st.lists(st.floats(0.05, 30_000), min_size=1, max_size=300))
def test_percentiles_are_within_five_percent_of_the_exact_ones(latencies):
    counted = {}
    for latency in latencies:
        counted[latency_class(latency)] = counted.get(latency_class(latency), 0) + 1
    told = Figures(latencies=counted).latency_ms
    for percent in (50, 95, 99):
        exact = sorted(latencies)[math.ceil(len(latencies) * percent / 100) - 1]
        # Told in hundredths of a millisecond.
        assert abs(told[f"p{percent}"] - exact) <= 0.05 * exact + 0.005


def test_nothing_has_no_mean_no_share_and_no_percentiles():
    nothing = Figures()
    assert (nothing.predictions, nothing.confidence, nothing.latency_ms) == (0, None, None)
    assert nothing.confidence_of(Label.POSITIVE) is None
    assert share(0, 0) is None


def test_the_total_of_parts_is_their_sum():
    first = Figures({Label.POSITIVE: 2}, {Label.POSITIVE: Decimal("1.5")}, {3: 2})
    second = Figures({Label.POSITIVE: 1, Label.NEUTRAL: 1}, {label: Decimal("0.5") for label in Label}, {3: 1, -4: 1})
    both = total([first, second])
    assert (both.count(Label.POSITIVE), both.count(Label.NEGATIVE), both.count(Label.NEUTRAL)) == (3, 0, 1)
    assert both.confidence_of(Label.POSITIVE) == Decimal("0.6667")
    assert both.latencies == {3: 3, -4: 1}


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # By hand: (p + z²/2n ± z √(p(1 - p)/n + z²/4n²)) / (1 + z²/n), z = 1.96.
    [(0, 10, 0.0, 0.2775), (1, 10, 0.0179, 0.4042), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)],
)
def test_wilsons_interval(successes, trials, low, high):
    observed = proportion(successes, trials)
    assert (observed.value, observed.low, observed.high) == (successes / trials, low, high)


@given(st.integers(1, 10**6), st.data())
def test_an_interval_holds_the_proportion_and_stays_within_0_and_1(trials, data):
    observed = proportion(data.draw(st.integers(0, trials)), trials)
    assert 0 <= observed.low <= observed.value <= observed.high <= 1


def test_without_trials_there_is_no_proportion():
    assert proportion(0, 0) is None


def test_precision_goes_by_what_the_model_said_and_recall_by_what_people_said():
    positive, neutral = Label.POSITIVE, Label.NEUTRAL
    agreement = Agreement({(positive, positive): 6, (neutral, positive): 2, (positive, neutral): 4})
    assert agreement.feedback == 12
    assert agreement.accuracy.value == 0.5
    assert agreement.precision(positive).value == 0.75
    assert agreement.recall(positive).value == 0.6
    assert agreement.recall(neutral).value == 0
    assert agreement.precision(Label.NEGATIVE) is None
    assert agreement_of([agreement, agreement]).confusion[neutral, positive] == 4
