from finbert_api.observability.metrics import Metrics


def test_what_is_counted_is_exposed():
    metrics = Metrics()
    metrics.answered("POST", "/api/v1/predict", 200, 0.02)
    metrics.predicted("positive", "m-1", 0.01)
    metrics.write_failed()
    text = metrics.exposition().decode()
    assert 'http_requests_total{method="POST",route="/api/v1/predict",status="200"} 1.0' in text
    assert 'http_request_duration_seconds_bucket{le="0.025",method="POST",route="/api/v1/predict"} 1.0' in text
    assert 'model_predictions_total{label="positive",version="m-1"} 1.0' in text
    assert "model_inference_duration_seconds_count 1.0" in text
    assert "db_write_failures_total 1.0" in text
