"""`finbert migrate`: brings the database to the newest schema."""

import click
from flask_migrate import upgrade

from finbert_api.cli.application import application
from finbert_api.storage.transactions import storage_errors


@click.command()
def migrate() -> None:
    """Bring the database to the newest schema; two at a time wait for each other."""
    with application(), storage_errors("The database can't be migrated"):
        upgrade()
    click.echo("The database is up to date.", err=True)
