"""Runs the migrations on the application's database."""

from alembic import context
from flask import current_app
from sqlalchemy import text

from finbert_api.storage.connections import patient_engine

# Any number that no other program locks in this database; it keeps two hosts from migrating at once.
ADVISORY_LOCK = 5_713_028_461


def run_migrations() -> None:
    database = current_app.extensions["migrate"].db
    with patient_engine(database.engine.url).connect() as connection:
        context.configure(connection=connection, target_metadata=database.metadata, compare_type=True)
        with context.begin_transaction():
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
            context.run_migrations()
        connection.commit()


run_migrations()
