"""Users of the API, for locust.

`python -m benchmarks users` starts a service and these. For a service that runs:

    LOAD_API_KEY=... locust -f benchmarks/locustfile.py --host http://127.0.0.1:8000

The key should be one without rate limits in its way. Of ten requests seven ask for one text, two for a batch of ten,
one for analytics, and no text was ever sent before. A user has an answer for 0.5 to 1.5 seconds before asking again: a
hundred users bring 100 requests (270 texts) a second when answers take no time, and fewer the longer they wait, as
people do.
"""

import logging
import os
import time
from itertools import count
from typing import Any

from locust import FastHttpUser, between, events, task
from locust.env import Environment

from benchmarks.mix import BATCH, BATCH_ITEMS, KEY_VARIABLE, PAUSE_SECONDS, PREDICT, SUMMARY, TIMESERIES, WEIGHTS
from benchmarks.texts import numbered, sentences

logger = logging.getLogger(__name__)

_sentences = sentences()
# Milliseconds pass faster than texts are sent, so that no later run sends one of these either.
_serials = count(time.time_ns() // 1_000_000)


def new_item() -> dict[str, str]:
    """A text that nobody sent before."""
    serial = next(_serials)
    return {"text": numbered(_sentences[serial % len(_sentences)], serial), "source": "load"}


class Analyst(FastHttpUser):
    """Someone who reads the news with the API's help."""

    wait_time = between(*PAUSE_SECONDS)
    # No answer takes longer: the service gives up after REQUEST_TIMEOUT_SECONDS.
    network_timeout = connection_timeout = 30.0
    default_headers = {"X-API-Key": os.environ.get(KEY_VARIABLE, "")}  # noqa: RUF012 - as locust has it

    @task(WEIGHTS[PREDICT])
    def predict(self) -> None:
        """One text."""
        self.client.post(PREDICT, json=new_item())

    @task(WEIGHTS[BATCH])
    def predict_batch(self) -> None:
        """Ten texts; one of them without a prediction is a failure."""
        items = [new_item() for _ in range(BATCH_ITEMS)]
        with self.client.post(BATCH, json={"items": items}, catch_response=True) as answer:
            if answer.status_code == 200 and answer.json()["failed"]:  # noqa: PLR2004 - of HTTP
                answer.failure("items without a prediction")

    @task(WEIGHTS[SUMMARY])
    def summary(self) -> None:
        """The figures of all time."""
        self.client.get(SUMMARY)

    @task(WEIGHTS[TIMESERIES])
    def timeseries(self) -> None:
        """The figures by hour."""
        self.client.get(TIMESERIES)


@events.quitting.add_listener
def tell_why(environment: Environment, **_others: Any) -> None:
    """Names each kind of failure with how often it occurred."""
    for error in environment.stats.errors.values():
        logger.warning("%d x %s %s: %s", error.occurrences, error.method, error.name, error.error)
