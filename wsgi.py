"""The application for WSGI servers: `gunicorn -c python:finbert_api.gunicorn_conf wsgi:app`."""

from finbert_api.app import create_app

app = create_app()
