"""Metrics in Prometheus' format, summed over all gunicorn workers."""

import os
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

MULTIPROCESS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus_client itself when it is imported
LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0)
BATCH_SIZE_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)
BATCH_TOKENS_BUCKETS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
RATIO_BUCKETS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)


class Metrics:
    """What the service counts and times. One object a process and registry."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "http_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self._request_seconds = Histogram(
            "http_request_duration_seconds",
            "Time from a request's arrival in the application to its response.",
            ["method", "route"],
            buckets=LATENCY_BUCKETS,
            registry=self._registry,
        )
        self._predictions = Counter(
            "model_predictions", "Predictions made.", ["label", "version"], registry=self._registry
        )
        self._inference_seconds = Histogram(
            "model_inference_duration_seconds",
            "Time the model's session ran for a text.",
            buckets=LATENCY_BUCKETS,
            registry=self._registry,
        )
        self._write_failures = Counter(
            "db_write_failures", "Predictions that were answered but not stored.", registry=self._registry
        )
        self._cache_hits = Counter(
            "cache_hits", "Predictions whose scores were there already or being computed.", registry=self._registry
        )
        self._cache_misses = Counter(
            "cache_misses", "Predictions whose scores had to be computed.", registry=self._registry
        )
        self._cache_failures = Counter(
            "cache_failures", "Tries of the cache that failed; answers go on without it.", registry=self._registry
        )
        self._rate_limit_failures = Counter(
            "rate_limit_failures",
            "Requests let through because their rate limit could not be told.",
            registry=self._registry,
        )
        self._queue_depth = Gauge(
            "engine_queue_depth", "Texts that wait.", registry=self._registry, multiprocess_mode="livesum"
        )
        self._queue_seconds = Histogram(
            "engine_queue_duration_seconds",
            "Time a text waited for its batch to start.",
            buckets=LATENCY_BUCKETS,
            registry=self._registry,
        )
        self._batch_size = Histogram(
            "engine_batch_size", "Texts in a batch.", buckets=BATCH_SIZE_BUCKETS, registry=self._registry
        )
        self._batch_tokens = Histogram(
            "engine_batch_tokens",
            "Tokens in a batch, padding not counted.",
            buckets=BATCH_TOKENS_BUCKETS,
            registry=self._registry,
        )
        self._padding_ratio = Histogram(
            "engine_padding_ratio",
            "Share of a batch's rows x longest row that is padding.",
            buckets=RATIO_BUCKETS,
            registry=self._registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts a response; `route` is the rule that matched, never the path, so that labels stay bounded."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(method, route).observe(seconds)

    def predicted(self, label: str, model_version: str) -> None:
        """Counts a prediction."""
        self._predictions.labels(label, model_version).inc()

    def inferred(self, seconds: float) -> None:
        """Times a text's run through the model."""
        self._inference_seconds.observe(seconds)

    def cache_hit(self) -> None:
        """Counts a prediction whose scores were there already or being computed."""
        self._cache_hits.inc()

    def cache_missed(self) -> None:
        """Counts a prediction whose scores had to be computed."""
        self._cache_misses.inc()

    def cache_failed(self) -> None:
        """Counts a try of the cache that failed."""
        self._cache_failures.inc()

    def rate_limit_failed(self) -> None:
        """Counts a request that was let through because its rate limit could not be told."""
        self._rate_limit_failures.inc()

    def write_failed(self) -> None:
        """Counts a prediction that could not be stored."""
        self._write_failures.inc()

    def queued(self) -> None:
        """Counts a text that waits from now on."""
        self._queue_depth.inc()

    def unqueued(self, texts: int) -> None:
        """Counts texts that wait no more, whether they run or were given up."""
        self._queue_depth.dec(texts)

    def batch_ran(self, size: int, tokens: int, padding_ratio: float, queue_seconds: Iterable[float]) -> None:
        """Counts a batch that ran; `queue_seconds` is how long each of its texts waited for it."""
        self._batch_size.observe(size)
        self._batch_tokens.observe(tokens)
        self._padding_ratio.observe(padding_ratio)
        for seconds in queue_seconds:
            self._queue_seconds.observe(seconds)

    def exposition(self) -> bytes:
        """All figures in Prometheus' text format: of every worker under gunicorn, else of this process."""
        registry = self._registry
        if os.environ.get(MULTIPROCESS_DIRECTORY):
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the package types only half of itself
        return generate_latest(registry)
