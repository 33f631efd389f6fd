"""What is loaded before the workers are forked, so that it is read once and its memory is shared."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from finbert_api.collector import collector_off
from finbert_api.domain.errors import ArtifactError
from finbert_api.inference.registry import read_ahead, served_artifact
from finbert_api.settings import Settings


def load_ahead(settings: Settings) -> None:
    """Imports what an application needs, and beside that reads the files that it verifies.

    A fault of theirs is kept for the workers to find: each says what is wrong, and lives without a model.
    """
    with collector_off(), ThreadPoolExecutor(max_workers=1) as beside:  # to read them lets other threads run
        beside.submit(_read_ahead, settings)
        import finbert_api.app  # noqa: F401, PLC0415 - while they are read


def _read_ahead(settings: Settings) -> None:
    with suppress(ArtifactError):
        read_ahead(served_artifact(settings), settings.prepacked_dir)
