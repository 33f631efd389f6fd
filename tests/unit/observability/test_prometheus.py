import os
import subprocess
import sys

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from finbert_api.observability.prometheus import PrometheusMetrics, forget_worker


def test_what_is_counted_is_exposed():
    metrics = PrometheusMetrics()
    for _ in range(3):
        metrics.queued()
    metrics.unqueued(2)
    metrics.batch_ran(size=2, tokens=60, padding_ratio=0.25, queue_seconds=[0.5, 1.5])
    metrics.answered("POST", "/api/v1/predict", 200, 0.02)
    metrics.predicted("positive", "m-1", 0.55)
    metrics.low_confidence()
    metrics.refused("POST", "/api/v1/predict", 503, 4)
    metrics.queried("insert", 0.002)
    metrics.cloudwatch_failed()
    metrics.inferred(0.01)
    metrics.cache_hit()
    metrics.cache_missed()
    metrics.cache_failed()
    metrics.rate_limit_failed()
    metrics.write_failed()
    text = metrics.exposition().decode()
    assert 'http_requests_total{method="POST",route="/api/v1/predict",status="200"} 1.0' in text
    assert 'http_request_duration_seconds_bucket{le="0.025",method="POST",route="/api/v1/predict"} 1.0' in text
    assert 'model_predictions_total{label="positive",version="m-1"} 1.0' in text
    assert 'http_requests_total{method="POST",route="/api/v1/predict",status="503"} 4.0' in text
    assert 'http_request_duration_seconds_count{method="POST",route="/api/v1/predict"} 1.0' in text
    assert 'model_confidence_bucket{le="0.5"} 0.0' in text
    assert 'model_confidence_bucket{le="0.6"} 1.0' in text
    assert "model_low_confidence_total 1.0" in text
    assert 'db_queries_total{operation="insert"} 1.0' in text
    assert 'db_query_duration_seconds_bucket{le="0.0025",operation="insert"} 1.0' in text
    assert "cloudwatch_failures_total 1.0" in text
    assert "model_inference_duration_seconds_count 1.0" in text
    assert "engine_queue_depth 1.0" in text
    assert "engine_queue_duration_seconds_sum 2.0" in text
    assert "engine_batch_size_sum 2.0" in text
    assert "engine_batch_tokens_sum 60.0" in text
    assert 'engine_padding_ratio_bucket{le="0.3"} 1.0' in text
    assert "db_write_failures_total 1.0" in text
    assert "cache_hits_total 1.0" in text
    assert "cache_misses_total 1.0" in text
    assert "cache_failures_total 1.0" in text
    assert "rate_limit_failures_total 1.0" in text


WORKER = """
from finbert_api.observability.prometheus import PrometheusMetrics
metrics = PrometheusMetrics()
metrics.queued()
metrics.answered("GET", "/health", 200, 0.02)
import os
print(os.getpid())
"""


def worker_that_ended(directory):
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(directory)}
    done = subprocess.run([sys.executable, "-c", WORKER], env=environment, capture_output=True, text=True, check=True)
    return int(done.stdout)


def exposed(directory):
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(directory))
    return generate_latest(registry).decode()


def test_workers_that_ended_leave_their_counts_and_no_files(tmp_path):
    for pid in [worker_that_ended(tmp_path) for _ in range(3)]:
        forget_worker(tmp_path, pid)
    text = exposed(tmp_path)
    assert 'http_requests_total{method="GET",route="/health",status="200"} 3.0' in text
    assert 'http_request_duration_seconds_bucket{le="0.025",method="GET",route="/health"} 3.0' in text
    assert 'http_request_duration_seconds_count{method="GET",route="/health"} 3.0' in text
    assert "engine_queue_depth " not in text
    assert {path.name for path in tmp_path.glob("*.db")} == {"counter_ended.db", "histogram_ended.db"}
