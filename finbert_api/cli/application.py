"""The application for commands that serve nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from flask import Flask

from finbert_api.app import create_app
from finbert_api.cli.database import database_settings
from finbert_api.inference.unavailable_engine import UnavailableEngine


@contextmanager
def application() -> Iterator[Flask]:
    """An application over its database, in its context: without a model, with warnings alone, and with no figures."""
    with database_settings() as settings:
        quiet = replace(
            settings, log_level="WARNING", log_file=None, metrics_backend="none", otel_exporter_otlp_endpoint=None
        )
        app = create_app(quiet, engine=UnavailableEngine())
        with app.app_context():
            yield app
