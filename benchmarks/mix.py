"""What the users of the load test ask for. Not in the locustfile: importing locust changes Python's own sockets."""

PREDICT, BATCH = "/api/v1/predict", "/api/v1/predict/batch"
SUMMARY, TIMESERIES = "/api/v1/analytics/summary", "/api/v1/analytics/timeseries"
# Of 20 requests so many: 70 % predictions, 20 % batches, 10 % analytics.
WEIGHTS = {PREDICT: 14, BATCH: 4, SUMMARY: 1, TIMESERIES: 1}
BATCH_ITEMS = 10
# Seconds between an answer and the same user's next request, at random.
PAUSE_SECONDS = (0.5, 1.5)
KEY_VARIABLE = "LOAD_API_KEY"
