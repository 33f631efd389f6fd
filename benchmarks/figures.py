"""What the figures of analytics cost over a large table, once they are proved right."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from statistics import median
from typing import Any

import psycopg
from flask import Flask
from tqdm import tqdm

from benchmarks.seeding import NEWEST, STEADY_KEY_ID
from finbert_api.domain.analytics import Bucket, Window
from finbert_api.domain.caller import BOOTSTRAP_KEY_ID, Caller, Role, Tier
from finbert_api.services.analytics import AnalyticsService
from finbert_api.storage.analytics import AnalyticsStore

WARM_UP_ROUNDS = 3
MOST_ROUNDS = 30
_EVERYTHING = Window(None, None)
# Neither end at midnight: days in the middle, hours at both ends.
_MONTHS = Window(NEWEST - timedelta(days=200, hours=7), NEWEST - timedelta(days=3, hours=5))
_CALLERS = {
    "": Caller(BOOTSTRAP_KEY_ID, Role.ADMIN, Tier.STANDARD),
    "_key": Caller(STEADY_KEY_ID, Role.CLIENT, Tier.STANDARD),
}


class WrongFigures(Exception):
    """Figures of analytics that plain SQL contradicts."""


def check_figures(app: Flask, url: str) -> None:
    """Compares counts, confidences and feedback with plain SQL over every prediction. Raises WrongFigures."""
    admin, service = _CALLERS[""], AnalyticsService(AnalyticsStore())
    with app.app_context():
        summary = service.summary(_MONTHS, None, None, admin)
        accuracy = service.accuracy(_MONTHS, None, admin)
    told = {(version, each.predictions, each.confidence) for version, each in summary.versions.items()}
    told |= {(source, each.predictions, each.confidence) for source, each in (summary.sources or {}).items()}
    told |= {(version, each.feedback, None) for version, each in accuracy.versions.items()}
    with psycopg.connect(url) as connection:
        expected = {
            (*row,)
            for group in ("model_version", "source")
            for row in connection.execute(
                f"SELECT {group}, count(*), round(avg(greatest(score_positive, score_negative, score_neutral)), 4) "
                f"FROM predictions WHERE {group} IS NOT NULL AND created_at >= %s AND created_at < %s "
                "GROUP BY 1".encode(),
                [_MONTHS.since, _MONTHS.until],
            )
        }
        feedback = connection.execute(
            "SELECT model_version, count(*), NULL FROM prediction_feedback JOIN predictions USING (request_id) "
            "WHERE predictions.created_at >= %s AND predictions.created_at < %s GROUP BY 1",
            [_MONTHS.since, _MONTHS.until],
        )
        expected |= {(*row,) for row in feedback}
    if told != expected:
        raise WrongFigures(f"analytics tells {told - expected}, the table {expected - told}")


def measure_figures(app: Flask, rounds: int) -> Mapping[str, Sequence[float]]:
    """Milliseconds of each call of each question, as an admin asks it of all keys and a client of its own."""
    service = AnalyticsService(AnalyticsStore())
    samples: dict[str, list[float]] = {}
    with app.app_context():
        for number in tqdm(range(-WARM_UP_ROUNDS, min(rounds, MOST_ROUNDS)), desc="measure analytics"):
            for suffix, caller in _CALLERS.items():
                for name, ask in _questions(service, caller).items():
                    started = time.perf_counter()
                    ask()
                    if number >= 0:
                        samples.setdefault(f"{name}{suffix}", []).append((time.perf_counter() - started) * 1_000)
    return samples


def summed_up(samples: Mapping[str, Sequence[float]]) -> dict[str, object]:
    """The slowest of all calls, and the median of each question, in milliseconds."""
    return {
        "analytics_ms_max": round(max(max(each) for each in samples.values()), 1),
        "analytics_ms": {name: round(median(each), 1) for name, each in samples.items()},
    }


def _questions(service: AnalyticsService, caller: Caller) -> Mapping[str, Callable[[], Any]]:
    newest = Window(NEWEST - timedelta(days=10_000), NEWEST)  # as many buckets as there may be
    return {
        "summary": lambda: service.summary(_EVERYTHING, None, None, caller),
        "summary_months": lambda: service.summary(_MONTHS, None, None, caller),
        "summary_source": lambda: service.summary(_EVERYTHING, "filings", None, caller),
        "timeseries_hours": lambda: service.series(Bucket.HOUR, newest, None, None, caller),
        "timeseries_days": lambda: service.series(Bucket.DAY, newest, None, None, caller),
        "versions": lambda: service.versions(_EVERYTHING, caller),
        "accuracy": lambda: service.accuracy(_EVERYTHING, None, caller),
    }
