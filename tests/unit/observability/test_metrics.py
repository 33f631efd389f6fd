from finbert_api.observability.metrics import Metrics


def test_what_is_counted_is_exposed():
    metrics = Metrics()
    for _ in range(3):
        metrics.queued()
    metrics.unqueued(2)
    metrics.batch_ran(size=2, tokens=60, padding_ratio=0.25, queue_seconds=[0.5, 1.5])
    metrics.answered("POST", "/api/v1/predict", 200, 0.02)
    metrics.predicted("positive", "m-1")
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
