"""The database of a Flask application."""

from flask import Flask

from finbert_api.extensions import db
from finbert_api.storage.connections import bound_waits, engine_options
from finbert_api.storage.migrations import bind_migrations


def bind_database(app: Flask, url: str) -> None:
    """Gives an application its database, over connections on which every wait ends, and that database's migrations."""
    app.config.update(SQLALCHEMY_DATABASE_URI=url, SQLALCHEMY_ENGINE_OPTIONS=engine_options())
    db.init_app(app)
    with app.app_context():
        bound_waits(db.engine)
    bind_migrations(app)
