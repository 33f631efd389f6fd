"""What analytics tells of many predictions: shares, means, percentiles, and how often people agree."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from finbert_api.domain.sentiment import FOUR_DECIMALS, Label

PERCENTILES = (50, 95, 99)
# Latencies are counted in classes: class n holds those above 1.1**(n - 1) up to 1.1**n milliseconds, and those up to
# SHORTEST_LATENCY_MS count as that. The migration that makes the rollup counts by the same numbers.
LATENCY_GROWTH = 1.1
# The quantile of the standard normal distribution for a two-sided confidence of 95 %.
Z_95 = 1.959963984540054
MOST_BUCKETS = 1_000
MOST_SOURCES = 100
# Inside of what datetime can hold by more than any series is long.
_FIRST_DAY = datetime(10, 1, 1, tzinfo=UTC)
_LAST_DAY = datetime(9999, 12, 30, tzinfo=UTC)


class Bucket(StrEnum):
    """The lengths of time that figures are kept for; those of days begin at midnight UTC."""

    HOUR = "hour"
    DAY = "day"

    @property
    def length(self) -> timedelta:
        """How long one is."""
        return timedelta(hours=1) if self is Bucket.HOUR else timedelta(days=1)

    def start(self, moment: datetime) -> datetime:
        """The start of the bucket that a moment lies in."""
        moment = min(max(moment, _FIRST_DAY), _LAST_DAY)
        return moment.replace(hour=moment.hour if self is Bucket.HOUR else 0, minute=0, second=0, microsecond=0)

    def end(self, moment: datetime) -> datetime:
        """The end of the bucket that a moment lies in; a moment where one starts is the end of the one before."""
        start = self.start(moment)
        return start if start >= moment else start + self.length


@dataclass(frozen=True, slots=True)
class Window:
    """The time from `since` up to `until`, without the latter; None: from the first prediction, up to the last."""

    since: datetime | None
    until: datetime | None

    def widened(self, bucket: Bucket) -> "Window":
        """The smallest one around this one that begins and ends with a bucket."""
        return Window(self.since and bucket.start(self.since), self.until and bucket.end(self.until))

    def parts(self) -> Iterator[tuple[Bucket, "Window"]]:
        """This one, of whole hours, in buckets as long as possible: the days in it, and the hours around them."""
        first = self.since and Bucket.DAY.end(self.since)
        last = self.until and Bucket.DAY.start(self.until)
        if first and last and first > last:
            yield Bucket.HOUR, self
            return
        yield Bucket.DAY, Window(first, last)
        if first != self.since:
            yield Bucket.HOUR, Window(self.since, first)
        if last != self.until:
            yield Bucket.HOUR, Window(last, self.until)


def series_window(bucket: Bucket, window: Window, now: datetime) -> tuple[datetime, datetime]:
    """Start and end of a time series of whole buckets: up to `until` (now), from `since` (a day of hours, 30 of days).

    At most MOST_BUCKETS, those before the end; none when `since` is not before it.
    """
    end = bucket.end(window.until or now)
    if window.since is None:
        return end - timedelta(days=1 if bucket is Bucket.HOUR else 30), end
    return min(max(bucket.start(window.since), end - MOST_BUCKETS * bucket.length), end), end


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over predictions: how many, their confidences, and how many by class of latency."""

    counts: Mapping[Label, int] = field(default_factory=dict)
    confidences: Mapping[Label, Decimal] = field(default_factory=dict)
    latencies: Mapping[int, int] = field(default_factory=dict)

    @property
    def predictions(self) -> int:
        """How many they are."""
        return sum(self.counts.values())

    @property
    def confidence(self) -> Decimal | None:
        """Their mean confidence, to four decimals; None when there are none."""
        return _mean(sum(self.confidences.values(), Decimal(0)), self.predictions)

    def count(self, label: Label) -> int:
        """How many have this label."""
        return self.counts.get(label, 0)

    def confidence_of(self, label: Label) -> Decimal | None:
        """The mean confidence of those with this label, to four decimals; None when there are none."""
        return _mean(self.confidences.get(label, Decimal(0)), self.count(label))

    @property
    def latency_ms(self) -> dict[str, float] | None:
        """The percentiles p50, p95 and p99 in milliseconds, each within 5 % of the exact one; None without predictions.

        By nearest rank: the lowest latency that as many percent of the predictions do not exceed. A class is told as
        the number between its bounds from which neither is further than 1/21 of itself (DDSketch: Masson, Rim and Lee,
        "A fast and fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019). Latencies up to 0.05 ms
        are told as 0.05 ms.
        """
        total = sum(self.latencies.values())
        if not total:
            return None
        return {f"p{percent}": _latency(self.latencies, math.ceil(total * percent / 100)) for percent in PERCENTILES}


def share(part: int, whole: int) -> Decimal | None:
    """A part of a whole, to four decimals; None when there is nothing to share."""
    return _mean(Decimal(part), whole)


@dataclass(frozen=True, slots=True)
class Proportion:
    """A proportion that was observed, and the bounds that hold the true one with a confidence of 95 %."""

    value: float
    low: float
    high: float
    successes: int
    trials: int


def proportion(successes: int, trials: int) -> Proportion | None:
    """A proportion with Wilson's score interval; None without trials.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927). Unlike the
    normal approximation it holds for few trials and near 0 and 1.
    """
    if not trials:
        return None
    observed = successes / trials
    weight = Z_95 * Z_95 / trials
    middle = (observed + weight / 2) / (1 + weight)
    reach = Z_95 * math.sqrt(observed * (1 - observed) / trials + weight / (4 * trials)) / (1 + weight)
    # At 0 and at 1 a bound is the proportion itself, which rounding must not miss.
    low = 0.0 if successes == 0 else max(0.0, middle - reach)
    high = 1.0 if successes == trials else min(1.0, middle + reach)
    return Proportion(round(observed, 4), round(low, 4), round(high, 4), successes, trials)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often people said of a text what the model said; `confusion` counts by (what people said, what it said)."""

    confusion: Mapping[tuple[Label, Label], int]

    @property
    def feedback(self) -> int:
        """How many answers of people there are."""
        return sum(self.confusion.values())

    @property
    def accuracy(self) -> Proportion | None:
        """How many of the answers are what the model said; None without any."""
        return proportion(sum(self.confusion.get((label, label), 0) for label in Label), self.feedback)

    def precision(self, label: Label) -> Proportion | None:
        """Where the model said this label: how often people did too; None where it never did."""
        return proportion(
            self.confusion.get((label, label), 0), sum(self.confusion.get((said, label), 0) for said in Label)
        )

    def recall(self, label: Label) -> Proportion | None:
        """Where people said this label: how often the model did too; None where they never did."""
        return proportion(
            self.confusion.get((label, label), 0), sum(self.confusion.get((label, told), 0) for told in Label)
        )


def total(parts: Sequence[Figures]) -> Figures:
    """The figures of all parts together."""
    latencies: dict[int, int] = {}
    for part in parts:
        for latency_class, predictions in part.latencies.items():
            latencies[latency_class] = latencies.get(latency_class, 0) + predictions
    return Figures(
        {label: sum(part.count(label) for part in parts) for label in Label},
        {label: sum((part.confidences.get(label, Decimal(0)) for part in parts), Decimal(0)) for label in Label},
        latencies,
    )


def agreement_of(parts: Sequence[Agreement]) -> Agreement:
    """The agreement of all parts together."""
    pairs = [(said, predicted) for said in Label for predicted in Label]
    return Agreement({pair: sum(part.confusion.get(pair, 0) for part in parts) for pair in pairs})


def _mean(amount: Decimal, number: int) -> Decimal | None:
    return (amount / number).quantize(FOUR_DECIMALS) if number else None


def _latency(latencies: Mapping[int, int], rank: int) -> float:
    """The latency in milliseconds that stands for the class of this rank, to two decimals."""
    for latency_class in sorted(latencies):
        rank -= latencies[latency_class]
        if rank <= 0:
            break
    return round(2 * LATENCY_GROWTH**latency_class / (LATENCY_GROWTH + 1), 2)
