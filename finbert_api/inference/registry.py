"""Which artifact serves, and how it becomes an engine that may be trusted."""

import logging
from dataclasses import dataclass
from pathlib import Path

from finbert_api.domain.errors import ArtifactError
from finbert_api.inference.artifact import (
    MANIFEST_NAME,
    MODEL_NAME,
    TOKENIZER_NAME,
    Artifact,
    read_artifact,
    verify_files,
)
from finbert_api.inference.batching import EngineLimits
from finbert_api.inference.engine import BatchingEngine
from finbert_api.inference.golden import verify_golden_texts
from finbert_api.inference.memory import release_freed_memory
from finbert_api.inference.prepacked import prepacked_graph, read_prepacked
from finbert_api.inference.processor import processor_flags, saturates_int8_products
from finbert_api.inference.processors import SharedProcessors
from finbert_api.inference.session import ModelSession, Session
from finbert_api.inference.tokenizer import TextTokenizer, loaded_tokenizer
from finbert_api.observability.metrics import Metrics
from finbert_api.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HostShare:
    """What the workers of a host have in common: a folder for the weights, and this many processors."""

    folder: Path
    processors: int


def served_artifact(settings: Settings) -> Artifact:
    """The artifact that the settings name. Raises ArtifactError as `find_artifact` does."""
    artifact = find_artifact(settings.model_store, settings.model_stable)
    moved = {MODEL_NAME: settings.onnx_model_path, TOKENIZER_NAME: settings.tokenizer_path}
    return artifact.moved({name: path for name, path in moved.items() if path})


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


def load_engine(
    artifact: Artifact,
    intra_op_threads: int = 1,
    limits: EngineLimits | None = None,
    metrics: Metrics | None = None,
    shared: HostShare | None = None,
) -> BatchingEngine:
    """An engine over a verified artifact: digests checked, then loaded, then its golden texts scored.

    On a processor without VNNI the graph with 7-bit weights serves. Without `shared`, or when its folder can't be used,
    the engine has weights of its own. It has threads of its own and runs until it is closed. Raises ArtifactError,
    saying which check failed.
    """
    verify_files(artifact)
    if (served := served_here(artifact)) is not artifact:
        artifact = served
        logger.info("no VNNI on this processor", extra={"graph": artifact.model_path.name})
    tokenizer = artifact_tokenizer(artifact)
    session = (shared and _shared_session(artifact, intra_op_threads, shared)) or ModelSession(
        artifact.model_path, intra_op_threads
    )
    limits = limits or EngineLimits()
    verify_golden_texts(artifact.manifest, tokenizer, session, limits.max_batch_tokens)
    release_freed_memory()  # of what loading took; with BERT-base some 10 MB of a worker
    return BatchingEngine(artifact.manifest, tokenizer, session, limits, metrics)


def read_ahead(artifact: Artifact, shared_folder: Path) -> None:
    """Reads all the files that `load_engine` verifies, for the processes that are forked from this one afterwards.

    Raises ArtifactError as it does.
    """
    artifact_tokenizer(artifact)
    verify_files(artifact)
    read_prepacked(served_here(artifact).manifest.model_digest, shared_folder)


def served_here(artifact: Artifact) -> Artifact:
    """The artifact with the graph that this processor computes rightly: of 7-bit weights, if any, without VNNI."""
    return artifact.with_seven_bit_weights() if saturates_int8_products(processor_flags()) else artifact


def artifact_tokenizer(artifact: Artifact) -> TextTokenizer:
    """The tokenizer of an artifact, shared by all that ask for it. Raises ArtifactError when it can't be read."""
    return loaded_tokenizer(artifact.tokenizer_path, artifact.manifest.tokenizer_digest, artifact.manifest.max_tokens)


def _shared_session(artifact: Artifact, intra_op_threads: int, shared: HostShare) -> Session | None:
    """A session over the weights that the workers of this host share; None when there can be none, which is logged."""
    try:
        graph = prepacked_graph(artifact.model_path, artifact.manifest.model_digest, shared.folder)
        share = ModelSession(graph, intra_op_threads, is_prepacked=True)
        if shared.processors <= intra_op_threads:
            return share
        whole = ModelSession(graph, shared.processors, is_prepacked=True, spinning=True)
        return SharedProcessors(share, whole, shared.folder / "computing.lock")
    except Exception as error:  # noqa: BLE001 - ONNX Runtime's exceptions have no common base; the plain graph will do
        cause = f"{type(error).__name__}: {error}"
        logger.warning("weights not shared: each worker has its own", extra={"cause": cause})
        return None
