"""The application for commands that serve nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from flask import Flask

from finbert_api.app import create_app
from finbert_api.cli.database import database_settings
from finbert_api.inference.engine import UnavailableEngine


@contextmanager
def application() -> Iterator[Flask]:
    """An application over its database but without a model, in its context; it logs warnings alone."""
    with database_settings() as settings:
        app = create_app(replace(settings, log_level="WARNING"), engine=UnavailableEngine())
        with app.app_context():
            yield app
