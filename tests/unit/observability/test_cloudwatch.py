import random
import threading
from collections import Counter

import pytest
from support import wait_for

from finbert_api.observability import cloudwatch
from finbert_api.observability.cloudwatch import CloudWatchMetrics

NEVER = 3600.0


class Received:
    """A CloudWatch that keeps what it is sent, and fails as long as it is told to."""

    def __init__(self):
        self.data = []
        self.is_down = False
        self.tries = 0

    def __call__(self, data):
        self.tries += 1
        if self.is_down:
            raise ConnectionError("no CloudWatch here")
        self.data += data

    def counts(self, name, label=None):
        dimensions = [{"Name": "label", "Value": label}] if label else []
        counts = Counter()
        for datum in self.data:
            if (datum["MetricName"], datum["Dimensions"]) == (name, dimensions):
                counts.update(dict(zip(datum["Values"], map(int, datum["Counts"]), strict=True)))
        return counts


@pytest.fixture
def received():
    return Received()


def test_what_was_counted_is_sent_at_the_end(received):
    metrics = CloudWatchMetrics(received, period_seconds=NEVER)
    for label in ("positive", "positive", "neutral"):
        metrics.predicted(label, "m", 0.5)
    metrics.low_confidence()
    for status in (200, 200, 404, 503):
        metrics.answered("POST", "/", status, 0.1)
    metrics.refused("POST", "/", 503, 5)
    metrics.close()
    assert received.counts("prediction_count", "positive") == {1.0: 2}
    assert received.counts("prediction_count", "neutral") == {1.0: 1}
    assert received.counts("error_rate") == {0.0: 3, 100.0: 6}
    assert received.counts("low_confidence_predictions")[1.0] == 1
    assert received.counts("db_write_failures") == {0.0: 1}  # silence would be no good news


def test_percentiles_of_what_is_sent_are_those_of_the_requests(received):
    metrics = CloudWatchMetrics(received, period_seconds=NEVER)
    chance = random.Random(7)  # noqa: S311 - latencies, no secrets
    milliseconds = sorted(float(f"{chance.lognormvariate(4, 1):.3g}") for _ in range(20_000))
    for value in milliseconds:
        metrics.prediction_answered(value / 1000)
    metrics.close()
    sent = sorted(received.counts("prediction_latency_p99").elements())
    assert len(received.data) > 5
    assert max(len(datum["Values"]) for datum in received.data) <= 150
    assert sent == pytest.approx(milliseconds)
    for share in (0.5, 0.95, 0.99):
        assert sent[int(share * len(sent))] == pytest.approx(milliseconds[int(share * len(milliseconds))])


def test_an_outage_is_counted_and_loses_nothing(received, log_lines):
    failures = []
    received.is_down = True
    metrics = CloudWatchMetrics(received, lambda: failures.append(1), period_seconds=0.01)
    metrics.predicted("positive", "m", 0.9)
    wait_for(lambda: received.tries > 3, "tries during the outage")
    metrics.predicted("positive", "m", 0.9)
    received.is_down = False
    wait_for(lambda: received.counts("prediction_count", "positive")[1.0] == 2, "both predictions")
    metrics.close()
    assert failures
    # One line for the outage, however long, and one for its end.
    said = [line["message"] for line in log_lines()]
    assert said == ["CloudWatch takes no figures", "CloudWatch takes figures again"]


def test_what_waits_for_the_end_of_an_outage_is_bounded(received, monkeypatch):
    received.is_down = True
    metrics = CloudWatchMetrics(received, period_seconds=0.001)
    wait_for(lambda: received.tries > 2 * cloudwatch.MOST_WAITING_PERIODS, "more tries than are kept")
    received.is_down = False
    metrics.close()
    assert len(received.data) <= 2 * (cloudwatch.MOST_WAITING_PERIODS + 1)


def test_many_threads_count_without_loss(received):
    metrics = CloudWatchMetrics(received, period_seconds=0.001)

    def count():
        for _ in range(2_000):
            metrics.predicted("negative", "m", 0.9)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    metrics.close()
    assert received.counts("prediction_count", "negative") == {1.0: 8_000}
