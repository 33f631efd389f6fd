"""Metrics in CloudWatch: gathered in the process, sent in the background."""

import atexit
import logging
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from finbert_api.observability.metrics import Metrics

logger = logging.getLogger(__name__)

# Alarms and dashboards name these; a test compares.
PREDICTION_COUNT = "prediction_count"
LABEL_DIMENSION = "label"
PREDICTION_LATENCY = "prediction_latency_p99"
DB_WRITE_FAILURES = "db_write_failures"
ERROR_RATE = "error_rate"
LOW_CONFIDENCE = "low_confidence_predictions"
DATA_DRIFT = "data_drift"  # sent once drift is measured

PERIOD_SECONDS = 60.0
# CloudWatch's own limit. It takes 1,000 data and 1 MB in a request, and a period is far below: latencies of three
# digits up to 25 s are 4,650 values at most, which are 31 data of some 12 KB.
MOST_VALUES = 150
# An outage of an hour loses nothing; CloudWatch takes figures of up to two weeks ago.
MOST_WAITING_PERIODS = 60
CONNECT_SECONDS, ANSWER_SECONDS = 2, 5
SERVER_ERROR = 500
PERCENT = 100.0

_UNITS = {PREDICTION_LATENCY: "Milliseconds", ERROR_RATE: "Percent"}

Datum = dict[str, Any]
Send = Callable[[Sequence[Datum]], None]


class CloudWatchMetrics(Metrics):
    """Gathers what CloudWatch shows and sends it once a period, from a thread of its own.

    A request only adds to a count. Values are sent with how often each occurred, not summed up, so that CloudWatch's
    percentiles are those of the requests themselves, over all workers and hosts together. Figures that can't be sent
    wait for the next period, those of an hour at most.
    """

    def __init__(
        self, send: Send, failed: Callable[[], None] = lambda: None, period_seconds: float = PERIOD_SECONDS
    ) -> None:
        self._send = send
        self._failed = failed
        self._period_seconds = period_seconds
        self._lock = threading.Lock()
        self._gathered = _nothing_gathered()
        self._waiting: deque[list[Datum]] = deque(maxlen=MOST_WAITING_PERIODS)
        self._is_down = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cloudwatch", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts a response: the average is the share of those that failed, in percent."""
        self.refused(method, route, status, 1)

    def refused(self, method: str, route: str, status: int, requests: int) -> None:
        """Counts refusals as any other response."""
        self._add(ERROR_RATE, None, PERCENT if status >= SERVER_ERROR else 0.0, requests)

    def prediction_answered(self, seconds: float) -> None:
        """Times a prediction in milliseconds, to three digits, so that few values stand for many requests."""
        self._add(PREDICTION_LATENCY, None, float(f"{seconds * 1000:.3g}"))

    def predicted(self, label: str, model_version: str, confidence: float) -> None:
        """Counts a prediction by its label."""
        self._add(PREDICTION_COUNT, label, 1.0)

    def low_confidence(self) -> None:
        """Counts a prediction of which the model is not sure."""
        self._add(LOW_CONFIDENCE, None, 1.0)

    def write_failed(self) -> None:
        """Counts a prediction that could not be stored."""
        self._add(DB_WRITE_FAILURES, None, 1.0)

    def close(self) -> None:
        """Sends what was gathered, once, and ends."""
        atexit.unregister(self.close)
        self._closing.set()
        self._thread.join(CONNECT_SECONDS + ANSWER_SECONDS)

    def _add(self, name: str, label: str | None, value: float, times: int = 1) -> None:
        with self._lock:
            self._gathered[name, label][value] += times

    def _run(self) -> None:
        while not self._closing.wait(self._period_seconds):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        with self._lock:
            gathered, self._gathered = self._gathered, _nothing_gathered()
        self._waiting.append(_data(gathered, datetime.now(UTC)))
        while self._waiting:
            try:
                self._send(self._waiting[0])
            except Exception as error:  # noqa: BLE001 - whatever it is, requests go on and the figures wait
                self._failed()
                if not self._is_down:  # once for an outage, not once a period
                    logger.error("CloudWatch takes no figures", extra={"cause": f"{type(error).__name__}: {error}"})  # noqa: TRY400 - the cause says it all
                self._is_down = True
                return
            self._waiting.popleft()
            if self._is_down:
                logger.info("CloudWatch takes figures again")
            self._is_down = False


def sender(namespace: str) -> Send:
    """What sends data to CloudWatch in the region and with the credentials of the environment, by boto3."""
    client: Any = None

    def send(data: Sequence[Datum]) -> None:
        nonlocal client
        if client is None:
            # Here, in the background: a start does not wait for it, and a missing region is an outage like others.
            import boto3  # noqa: PLC0415 - takes 20 MB, which only those who send need
            from botocore.config import Config  # noqa: PLC0415 - as above

            client = boto3.client(
                "cloudwatch",
                config=Config(
                    connect_timeout=CONNECT_SECONDS, read_timeout=ANSWER_SECONDS, retries={"total_max_attempts": 1}
                ),
            )
        client.put_metric_data(Namespace=namespace, MetricData=data)

    return send


def _nothing_gathered() -> defaultdict[tuple[str, str | None], Counter[float]]:
    """For each metric and label how often each value occurred."""
    return defaultdict(Counter)


def _data(gathered: Mapping[tuple[str, str | None], Counter[float]], at: datetime) -> list[Datum]:
    """All that was gathered, in data of at most MOST_VALUES values."""
    # An alarm needs the zeros too: without them it can't tell good times from silence.
    zeros = {(name, None): Counter({0.0: 1}) for name in (DB_WRITE_FAILURES, LOW_CONFIDENCE)}
    data = []
    for (name, label), counts in (zeros | dict(gathered)).items():
        values = sorted(counts.items())
        data += [
            {
                "MetricName": name,
                "Dimensions": [{"Name": LABEL_DIMENSION, "Value": label}] if label else [],
                "Timestamp": at,
                "Values": [value for value, _ in values[first : first + MOST_VALUES]],
                "Counts": [float(count) for _, count in values[first : first + MOST_VALUES]],
                "Unit": _UNITS.get(name, "Count"),
            }
            for first in range(0, len(values), MOST_VALUES)
        ]
    return data
