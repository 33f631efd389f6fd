"""What tests import from each other."""

from contextlib import contextmanager

from finbert_api.app import create_app
from finbert_api.extensions import db

ADMIN_KEY = "the-bootstrap-admin-key-of-the-tests"


@contextmanager
def running(settings, engine):
    """An application whose database connections are closed at the end."""
    app = create_app(settings, engine)
    app.testing = True
    # Errors are answered as in production, where nobody debugs.
    app.config["PROPAGATE_EXCEPTIONS"] = False
    yield app
    with app.app_context():
        db.engine.dispose()
