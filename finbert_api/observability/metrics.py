"""Metrics in Prometheus' format, summed over all gunicorn workers."""

import os

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess

MULTIPROCESS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus_client itself when it is imported
LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0)


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

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts a response; `route` is the rule that matched, never the path, so that labels stay bounded."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(method, route).observe(seconds)

    def predicted(self, label: str, model_version: str, inference_seconds: float) -> None:
        """Counts a prediction."""
        self._predictions.labels(label, model_version).inc()
        self._inference_seconds.observe(inference_seconds)

    def write_failed(self) -> None:
        """Counts a prediction that could not be stored."""
        self._write_failures.inc()

    def exposition(self) -> bytes:
        """All figures in Prometheus' text format: of every worker under gunicorn, else of this process."""
        registry = self._registry
        if os.environ.get(MULTIPROCESS_DIRECTORY):
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the package types only half of itself
        return generate_latest(registry)
