"""The database that a command works on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from finbert_api.settings import Settings, settings_from_environment
from finbert_api.storage.embedded import embedded_postgres


@contextmanager
def database_settings() -> Iterator[Settings]:
    """The settings, with the embedded PostgreSQL started and filled in when DATABASE_URL names no other."""
    settings = settings_from_environment()
    if settings.database_url is not None:
        yield settings
        return
    with embedded_postgres(settings.data_dir) as url:
        yield replace(settings, database_url=url)
