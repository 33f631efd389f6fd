"""The model artifact: a directory with an ONNX graph, its tokenizer and a manifest that says what they are.

Every artifact holds `manifest.json` beside the files it lists. The graph takes `input_ids` and `attention_mask` (int64,
[texts, tokens]) and gives `logits` (float32, [texts, 3]) in the manifest's label order. An int8 artifact has a second
graph, with 7-bit weights, for processors on which 8-bit products saturate.
"""

import hashlib
import json
import time
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from mmap import mmap
from pathlib import Path
from typing import Any

from finbert_api.domain.errors import ArtifactError
from finbert_api.domain.sentiment import Label

MANIFEST_NAME = "manifest.json"
MODEL_NAME = "model.onnx"
SEVEN_BIT_MODEL_NAME = "model.7bit.onnx"
TOKENIZER_NAME = "tokenizer.json"
FORMAT_VERSION = 1
PRECISIONS = ("fp32", "int8")
# Two changes within a tick of the kernel's clock leave the same times, so only an older one is told from the next.
TOLD_APART_SECONDS = 1
# Large, since a thread waits up to 5 ms for Python's lock after each: beside a busy one 113 MB took 4 s in blocks of
# 256 KiB, which are those of hashlib.file_digest, and take 0.3 s in these.
BLOCK_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file of an artifact: its sha256 in hexadecimal and its size in bytes."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class GoldenText:
    """A text and the scores, by label, that the PyTorch original gave it."""

    text: str
    scores: dict[Label, float]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an artifact is, where it comes from, and the figures that were measured when it was made.

    `labels` is the order of the logits. `max_tokens` is the longest input the graph reads, special tokens included.
    `golden_tolerance` is the largest difference from a golden score that the serving host may show. `base_model`,
    `data`, `evaluation`, `parity` and `libraries` are for people and for `GET /models`; the engine reads none of them.
    """

    name: str
    version: str
    labels: tuple[Label, ...]
    precision: str
    max_tokens: int
    files: dict[str, FileRecord]
    golden_texts: tuple[GoldenText, ...]
    golden_tolerance: float
    base_model: dict[str, str]
    data: list[dict[str, Any]] = field(default_factory=list)
    evaluation: dict[str, Any] = field(default_factory=dict)
    parity: dict[str, Any] = field(default_factory=dict)
    libraries: dict[str, str] = field(default_factory=dict)
    created_at: str = ""
    format: int = FORMAT_VERSION

    @property
    def model_version(self) -> str:
        """The name under which predictions of this artifact are stored and served, such as `finbert-compact-1.1.0`."""
        return f"{self.name}-{self.version}"

    @property
    def model_digest(self) -> str:
        """sha256 of the graph with its weights."""
        return self.files[MODEL_NAME].sha256

    @property
    def tokenizer_digest(self) -> str:
        """sha256 of tokenizer.json."""
        return self.files[TOKENIZER_NAME].sha256


@dataclass(frozen=True, slots=True)
class Artifact:
    """A manifest and where the files it lists lie, by name: in one directory, unless the operator moved some."""

    manifest: Manifest
    paths: dict[str, Path]

    @property
    def model_path(self) -> Path:
        """The ONNX graph."""
        return self.paths[MODEL_NAME]

    @property
    def tokenizer_path(self) -> Path:
        """The tokenizer in Hugging Face's `tokenizers` format."""
        return self.paths[TOKENIZER_NAME]

    def moved(self, paths: dict[str, Path]) -> "Artifact":
        """The same artifact with some of its files elsewhere; their digests must be the manifest's still."""
        return replace(self, paths=self.paths | paths)

    def with_seven_bit_weights(self) -> "Artifact":
        """The same artifact with its 7-bit graph as the one to serve; itself when it has none."""
        if SEVEN_BIT_MODEL_NAME not in self.manifest.files:
            return self
        files = self.manifest.files | {MODEL_NAME: self.manifest.files[SEVEN_BIT_MODEL_NAME]}
        return replace(self, manifest=replace(self.manifest, files=files)).moved(
            {MODEL_NAME: self.paths[SEVEN_BIT_MODEL_NAME]}
        )


def file_record(path: Path) -> FileRecord:
    """Digest and size of a file as it is on disk now.

    What this process, or the one it was forked from, has read is not read again until the kernel says that it changed.
    """
    status = path.stat()
    identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    is_settled = time.time() - status.st_ctime > TOLD_APART_SECONDS
    digest = (_digest if is_settled else _digest.__wrapped__)(path, identity)
    return FileRecord(sha256=digest, bytes=status.st_size)


@lru_cache(maxsize=16)
def _digest(path: Path, _identity: tuple[int, ...]) -> str:
    digest = hashlib.sha256()
    # Memory apart from the heap: glibc, having freed a block so large, would keep larger ones than before on the heap.
    with path.open("rb", buffering=0) as file, mmap(-1, BLOCK_BYTES) as block, memoryview(block) as content:
        while length := file.readinto(block):
            digest.update(content[:length])
    return digest.hexdigest()


def read_artifact(directory: Path) -> Artifact:
    """The artifact in a directory, its manifest parsed and checked, its files not yet verified.

    Raises ArtifactError when the manifest is missing, is no JSON, or lacks or misuses a field.
    """
    path = directory / MANIFEST_NAME
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{directory} holds no {MANIFEST_NAME}") from None
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path} can't be read: {error}") from error
    try:
        manifest = _manifest_from(document)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path} is not a valid manifest: {error!r}") from error
    return Artifact(manifest=manifest, paths={name: directory / name for name in manifest.files})


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Writes the manifest beside its files, with a tokenizer digest of its own for readers of the JSON."""
    document = asdict(manifest) | {"tokenizer_digest": manifest.tokenizer_digest}
    text = json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True)
    (directory / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")


def verify_files(artifact: Artifact) -> None:
    """Raises ArtifactError, naming the file, unless every listed file is there with its published digest."""
    for name, published in artifact.manifest.files.items():
        path = artifact.paths[name]
        if not path.is_file():
            raise ArtifactError(f"{path} is missing")
        found = file_record(path)
        if found != published:
            raise ArtifactError(
                f"{path} is not the published file: sha256 {found.sha256} ({found.bytes} bytes), "
                f"the manifest says {published.sha256} ({published.bytes} bytes)"
            )


def _manifest_from(document: dict[str, Any]) -> Manifest:
    values = {key: value for key, value in document.items() if key != "tokenizer_digest"}
    values["labels"] = tuple(Label(label) for label in document["labels"])
    values["files"] = {name: FileRecord(**record) for name, record in document["files"].items()}
    values["golden_texts"] = tuple(
        GoldenText(text=golden["text"], scores={Label(label): float(s) for label, s in golden["scores"].items()})
        for golden in document["golden_texts"]
    )
    manifest = Manifest(**values)
    _check(manifest)
    return manifest


def _check(manifest: Manifest) -> None:
    if manifest.format != FORMAT_VERSION:
        raise ValueError(f"format {manifest.format} is not {FORMAT_VERSION}, the one this version reads")
    if sorted(manifest.labels) != sorted(Label):
        raise ValueError("labels must name positive, negative and neutral once each")
    if manifest.precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}")
    if not {MODEL_NAME, TOKENIZER_NAME} <= manifest.files.keys():
        raise ValueError(f"files must list {MODEL_NAME} and {TOKENIZER_NAME}")
    if any("/" in name or "\\" in name or name in ("", ".", "..") for name in manifest.files):
        raise ValueError("files must be plain names inside the artifact")
    if not manifest.golden_texts:
        raise ValueError("golden_texts must not be empty")
