"""Figures on their way to CloudWatch, which moto plays over HTTP: real boto3 and real requests."""

import logging
from collections import Counter
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from moto.backends import get_backend
from moto.server import ThreadedMotoServer
from support import free_port

TEXTS = [
    "Quarterly profit rose by a third.",
    "The bank reported heavy losses and cut its outlook.",
    "The annual meeting takes place in May.",
    "Sales fell short of expectations.",
    "Shares jumped after the results.",
]
REPEATS = 12
ACCOUNT = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-central-1"}


@pytest.fixture
def aws(monkeypatch):
    """The address of a moto server."""
    get_backend("cloudwatch").reset()
    monkeypatch.setattr(logging.getLogger("werkzeug"), "disabled", True)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


def statistics(aws, name, statistic, label=None):
    client = boto3.client(
        "cloudwatch", endpoint_url=aws, region_name="eu-central-1", aws_access_key_id="t", aws_secret_access_key="t"
    )
    now = datetime.now(UTC)
    answer = client.get_metric_statistics(
        Namespace="FinbertAPI",
        MetricName=name,
        Dimensions=[{"Name": "label", "Value": label}] if label else [],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=86_400,
        Statistics=[statistic],
    )
    return sum(point[statistic] for point in answer["Datapoints"])


def test_what_cloudwatch_got_is_what_the_clients_saw(start_service, migrated_database, aws):
    service = start_service(
        DATABASE_URL=migrated_database(), METRICS_BACKEND="both", AWS_ENDPOINT_URL=aws, LOW_CONFIDENCE="0.97", **ACCOUNT
    ).wait_until_ready()
    labels, unsure = Counter(), 0
    for number in range(REPEATS):
        for text in TEXTS:
            status, _, answer = service.request("POST", "/api/v1/predict", {"text": f"{text} {number}"})
            assert status == 200
            labels[answer["label"]] += 1
            unsure += answer["confidence"] < 0.97
    assert len(labels) > 1
    assert unsure
    service.stop()  # the workers send what they have
    for label in ("positive", "negative", "neutral"):
        assert statistics(aws, "prediction_count", "Sum", label) == labels[label]
    assert statistics(aws, "low_confidence_predictions", "Sum") == unsure
    assert statistics(aws, "db_write_failures", "Sum") == 0
    assert statistics(aws, "prediction_latency_p99", "SampleCount") == REPEATS * len(TEXTS)
    assert statistics(aws, "error_rate", "Maximum") == 0


def test_without_cloudwatch_requests_go_on_and_the_tries_are_counted(start_service, migrated_database):
    nobody = f"http://127.0.0.1:{free_port()}"
    service = start_service(
        DATABASE_URL=migrated_database(), METRICS_BACKEND="cloudwatch", AWS_ENDPOINT_URL=nobody, **ACCOUNT
    ).wait_until_ready()
    assert service.request("POST", "/api/v1/predict", {"text": TEXTS[0]})[0] == 200
    assert service.status_of("/metrics") == 404
    assert service.stop() == 0
    failures = [line for line in service.log_lines() if line["message"] == "CloudWatch takes no figures"]
    assert 1 <= len(failures) <= 2  # a worker each
    assert all("EndpointConnectionError" in line["cause"] for line in failures)
