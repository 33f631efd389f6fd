"""What is loaded before the workers are forked, so that it is read once and its memory is shared."""

import gc
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module

from finbert_api.domain.errors import ArtifactError
from finbert_api.inference.artifact import MODEL_NAME, TOKENIZER_NAME, Artifact
from finbert_api.inference.registry import find_artifact, read_ahead
from finbert_api.settings import Settings


def served_artifact(settings: Settings) -> Artifact:
    """The artifact that the settings name. Raises ArtifactError as `find_artifact` does."""
    artifact = find_artifact(settings.model_store, settings.model_stable)
    moved = {MODEL_NAME: settings.onnx_model_path, TOKENIZER_NAME: settings.tokenizer_path}
    return artifact.moved({name: path for name, path in moved.items() if path})


def load_ahead(settings: Settings) -> None:
    """Imports what an application needs, and beside that reads the files that it verifies.

    A fault of theirs is kept for the workers to find: each says what is wrong, and lives without a model.
    """
    # Python would look through the modules for objects that none but each other hold, of which modules are none.
    gc.disable()
    with ThreadPoolExecutor(max_workers=1) as beside:  # to read them lets other threads run
        beside.submit(_read_ahead, settings)
        import_module("finbert_api.app")
    # The collector would write to the objects it looks at, and so copy the pages they lie on.
    gc.freeze()
    gc.enable()


def _read_ahead(settings: Settings) -> None:
    with suppress(ArtifactError):
        read_ahead(served_artifact(settings), settings.prepacked_dir)
