"""`finbert migrate`: brings the database to the newest schema."""

from logging.config import dictConfig

import click
from flask import Flask
from flask_migrate import upgrade

from finbert_api.cli.database import database_settings
from finbert_api.observability.logging import logging_config
from finbert_api.storage.database import bind_database
from finbert_api.storage.transactions import storage_errors


@click.command()
def migrate() -> None:
    """Bring the database to the newest schema; two at a time wait for each other."""
    # An application of its own, for a start waits for this: the service's takes three times as long to import.
    app = Flask("finbert_api", static_folder=None)
    dictConfig(logging_config("WARNING"))
    with database_settings() as settings:
        bind_database(app, settings.database_url or "")
        with app.app_context(), storage_errors("The database can't be migrated"):
            upgrade()
    click.echo("The database is up to date.", err=True)
