"""The migrations of an application's database, for commands alone: serving imports none of what they need.

Alembic was a sixth of what serving imported.
"""

from typing import Any

import click
from flask import Flask
from werkzeug.local import LocalProxy

from finbert_api.extensions import db
from finbert_api.settings import PROJECT_ROOT


def bind_migrations(app: Flask) -> None:
    """Gives an application the migrations of its database, and `flask db`, its command for them."""
    app.extensions["migrate"] = LocalProxy(lambda: _bound(app))
    app.cli.add_command(_Commands("db", help="Make and run migrations."))


def _bound(app: Flask) -> Any:
    from flask_migrate import Migrate  # noqa: PLC0415 - as said above

    Migrate(app, db, directory=str(PROJECT_ROOT / "migrations"))
    return app.extensions["migrate"]  # Flask-Migrate's own by now


class _Commands(click.Command):
    """Flask-Migrate's commands."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """The context of Flask-Migrate's own group, which is called then."""
        from flask_migrate.cli import db as commands  # noqa: PLC0415 - as said above

        context: click.Context = commands.make_context(*args, **kwargs)
        return context
