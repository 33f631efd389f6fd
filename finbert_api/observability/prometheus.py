"""Metrics in Prometheus' format, summed over all gunicorn workers, those that ended included."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess, values
from prometheus_client.mmap_dict import MmapedDict

from finbert_api.observability.metrics import OPERATIONS, Metrics

MULTIPROCESS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus_client itself when it is imported
LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0)
QUERY_BUCKETS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
# The top of three scores is never below a third.
CONFIDENCE_BUCKETS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
BATCH_SIZE_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)
BATCH_TOKENS_BUCKETS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
RATIO_BUCKETS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
_LOCK = "reading.lock"

if MULTIPROCESS_DIRECTORY in os.environ:
    # The package asks the kernel for the process's id at each figure, a quarter of what a figure costs.
    _process_id = os.getpid()

    def _remember_process_id() -> None:
        global _process_id  # noqa: PLW0603 - the one place that changes it
        _process_id = os.getpid()

    os.register_at_fork(after_in_child=_remember_process_id)
    values.ValueClass = values.MultiProcessValue(lambda: _process_id)  # type: ignore[no-untyped-call]  # typed by half


class PrometheusMetrics(Metrics):
    """Keeps figures for Prometheus to scrape. One object a process and registry."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()

        def counter(name: str, what: str, labels: Iterable[str] = ()) -> Counter:
            return Counter(name, what, labels, registry=registry)

        def histogram(name: str, what: str, buckets: tuple[float, ...], labels: Iterable[str] = ()) -> Histogram:
            return Histogram(name, what, labels, buckets=buckets, registry=registry)

        self._requests = counter("http_requests", "Requests answered.", ["method", "route", "status"])
        self._request_seconds = histogram(
            "http_request_duration_seconds",
            "Time from a request's arrival in the application to its response.",
            LATENCY_BUCKETS,
            ["method", "route"],
        )
        self._predictions = counter("model_predictions", "Predictions made.", ["label", "version"])
        self._confidence = histogram("model_confidence", "The top score of a prediction.", CONFIDENCE_BUCKETS)
        self._low_confidence = counter(
            "model_low_confidence", "Predictions of which the model was less sure than LOW_CONFIDENCE."
        )
        self._inference_seconds = histogram(
            "model_inference_duration_seconds", "Time the model's session ran for a text.", LATENCY_BUCKETS
        )
        queries = counter("db_queries", "Statements that the database answered or refused.", ["operation"])
        query_seconds = histogram(
            "db_query_duration_seconds", "Time a statement took, as its caller saw it.", QUERY_BUCKETS, ["operation"]
        )
        self._queries = {each: (queries.labels(each), query_seconds.labels(each)) for each in OPERATIONS}
        self._write_failures = counter("db_write_failures", "Predictions that were answered but not stored.")
        self._cache_hits = counter("cache_hits", "Predictions whose scores were there already or being computed.")
        self._cache_misses = counter("cache_misses", "Predictions whose scores had to be computed.")
        self._cache_failures = counter("cache_failures", "Tries of the cache that failed; answers go on without it.")
        self._rate_limit_failures = counter(
            "rate_limit_failures", "Requests let through because their rate limit could not be told."
        )
        self._cloudwatch_failures = counter(
            "cloudwatch_failures", "Tries to send figures to CloudWatch that failed; they are sent again."
        )
        self._queue_depth = Gauge(
            "engine_queue_depth", "Texts that wait.", registry=registry, multiprocess_mode="livesum"
        )
        self._queue_seconds = histogram(
            "engine_queue_duration_seconds", "Time a text waited for its batch to start.", LATENCY_BUCKETS
        )
        self._batch_size = histogram("engine_batch_size", "Texts in a batch.", BATCH_SIZE_BUCKETS)
        self._batch_tokens = histogram(
            "engine_batch_tokens", "Tokens in a batch, padding not counted.", BATCH_TOKENS_BUCKETS
        )
        self._padding_ratio = histogram(
            "engine_padding_ratio", "Share of a batch's rows x longest row that is padding.", RATIO_BUCKETS
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts and times a response."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(method, route).observe(seconds)

    def refused(self, method: str, route: str, status: int, requests: int) -> None:
        """Counts refusals; their time is no request's: it would hide how slow the others are."""
        self._requests.labels(method, route, str(status)).inc(requests)

    def predicted(self, label: str, model_version: str, confidence: float) -> None:
        """Counts a prediction."""
        self._predictions.labels(label, model_version).inc()
        self._confidence.observe(confidence)

    def low_confidence(self) -> None:
        """Counts a prediction of which the model is not sure."""
        self._low_confidence.inc()

    def inferred(self, seconds: float) -> None:
        """Times a text's run through the model."""
        self._inference_seconds.observe(seconds)

    def cache_hit(self) -> None:
        """Counts a hit."""
        self._cache_hits.inc()

    def cache_missed(self) -> None:
        """Counts a miss."""
        self._cache_misses.inc()

    def cache_failed(self) -> None:
        """Counts a try of the cache that failed."""
        self._cache_failures.inc()

    def rate_limit_failed(self) -> None:
        """Counts a request that no limit was told for."""
        self._rate_limit_failures.inc()

    def queried(self, operation: str, seconds: float) -> None:
        """Counts and times a statement."""
        count, duration = self._queries[operation]
        count.inc()
        duration.observe(seconds)

    def write_failed(self) -> None:
        """Counts a prediction that could not be stored."""
        self._write_failures.inc()

    def queued(self) -> None:
        """Counts a text that waits from now on."""
        self._queue_depth.inc()

    def unqueued(self, texts: int) -> None:
        """Counts texts that wait no more."""
        self._queue_depth.dec(texts)

    def batch_ran(self, size: int, tokens: int, padding_ratio: float, queue_seconds: Iterable[float]) -> None:
        """Counts a batch that ran."""
        self._batch_size.observe(size)
        self._batch_tokens.observe(tokens)
        self._padding_ratio.observe(padding_ratio)
        for seconds in queue_seconds:
            self._queue_seconds.observe(seconds)

    def cloudwatch_failed(self) -> None:
        """Counts a try to send figures to CloudWatch that failed."""
        self._cloudwatch_failures.inc()

    def exposition(self) -> bytes:
        """All figures in Prometheus' text format: of every worker under gunicorn, else of this process."""
        directory = os.environ.get(MULTIPROCESS_DIRECTORY)
        if not directory:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the package types only half of itself
        with _locked(Path(directory), fcntl.LOCK_SH):
            return generate_latest(registry)


def forget_worker(directory: Path, pid: int) -> None:
    """Takes the files of a worker that ended out of a directory of metrics.

    What it counted and timed stays, in one file for all that ended, since what it did was done and a counter that falls
    looks like a restart to Prometheus; its gauges go. Without that each worker that ever ended would leave its files,
    and each scrape would read them all.
    """
    with _locked(directory, fcntl.LOCK_EX):
        for path in directory.glob(f"*_{pid}.db"):
            kind = path.name.partition("_")[0]
            if kind != "gauge":
                _add_up(path, directory / f"{kind}_ended.db")
            path.unlink(missing_ok=True)


def _add_up(source: Path, target: Path) -> None:
    values = MmapedDict(str(target))  # type: ignore[no-untyped-call]  # as above
    for key, value, timestamp, _ in MmapedDict.read_all_values_from_file(str(source)):  # type: ignore[no-untyped-call]
        values.write_value(key, values.read_value(key)[0] + value, timestamp)  # type: ignore[no-untyped-call]
    values.close()  # type: ignore[no-untyped-call]


@contextmanager
def _locked(directory: Path, kind: int) -> Iterator[None]:
    """So that no scrape finds a worker's figures twice, or not at all."""
    with (directory / _LOCK).open("w") as lock:
        fcntl.flock(lock, kind)
        yield
