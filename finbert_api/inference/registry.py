"""Which artifact serves, and how it becomes an engine that may be trusted."""

from pathlib import Path

from finbert_api.domain.errors import ArtifactError
from finbert_api.inference.artifact import MANIFEST_NAME, Artifact, read_artifact, verify_files
from finbert_api.inference.engine import SessionEngine
from finbert_api.inference.golden import verify_golden_texts
from finbert_api.inference.session import ModelSession
from finbert_api.inference.tokenizer import TextTokenizer


def find_artifact(store: Path, model_version: str | None) -> Artifact:
    """The artifact to serve from a store: a folder of artifacts, or one artifact itself.

    `model_version` picks one by its manifest; it may be None when the store holds a single artifact. Raises
    ArtifactError, listing what is there, when that leaves none or more than one.
    """
    folders = [store] if (store / MANIFEST_NAME).is_file() else sorted(store.glob(f"*/{MANIFEST_NAME}"))
    artifacts = [read_artifact(path if path.is_dir() else path.parent) for path in folders]
    chosen = [found for found in artifacts if model_version in (None, found.manifest.model_version)]
    if len(chosen) == 1:
        return chosen[0]
    if not artifacts:
        raise ArtifactError(f"{store} holds no artifact: no {MANIFEST_NAME} in it nor in a folder of it")
    versions = ", ".join(found.manifest.model_version for found in artifacts)
    wanted = f"MODEL_STABLE asks for {model_version}" if model_version else "MODEL_STABLE must choose one"
    raise ArtifactError(f"{store} holds {versions}: {wanted}")


def load_engine(artifact: Artifact, intra_op_threads: int = 1) -> SessionEngine:
    """An engine over a verified artifact: digests checked, then loaded, then its golden texts scored.

    Raises ArtifactError, saying which check failed.
    """
    verify_files(artifact)
    tokenizer = TextTokenizer(artifact.tokenizer_path, artifact.manifest.max_tokens)
    session = ModelSession(artifact.model_path, intra_op_threads)
    verify_golden_texts(artifact.manifest, tokenizer, session)
    return SessionEngine(artifact.manifest, tokenizer, session)
