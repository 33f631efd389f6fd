"""Which artifact the service is measured with."""

from finbert_api.inference.artifact import Artifact, read_artifact
from finbert_api.settings import BUNDLED_MODEL


def served_artifact(model: str) -> Artifact:
    """The int8 artifact of a model: the bundled one for `compact`, else one of random weights that is made here."""
    if model == "compact":
        return read_artifact(BUNDLED_MODEL)
    from benchmarks.artifacts import random_artifact  # noqa: PLC0415 - PyTorch takes seconds to import

    return random_artifact(model, "int8")
