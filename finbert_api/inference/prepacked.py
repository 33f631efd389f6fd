"""Pre-packed weights: a graph optimised and its weights laid out for this very processor, made once for a host.

ONNX Runtime maps the weights' file into memory as it is, so that all workers share one copy in the page cache and a
start allocates next to nothing. What it makes is good for one processor type and one version of ONNX Runtime alone;
both are part of the name under which it is kept, with the digest of the graph it was made from.
"""

import fcntl
import hashlib
import json
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import onnxruntime

from finbert_api.inference.artifact import FileRecord, file_record
from finbert_api.inference.memory import release_freed_memory
from finbert_api.inference.processor import processor_flags

logger = logging.getLogger(__name__)

GRAPH_NAME = "graph.onnx"
WEIGHTS_NAME = "weights.bin"
SEAL_NAME = "seal.json"
# Smaller constants stay in the graph, where they are read faster than they could be mapped.
SMALLEST_EXTERNAL_BYTES = 4096


def prepacked_graph(model_path: Path, digest: str, cache: Path) -> Path:
    """The pre-packed form of a graph with this sha256, from the cache folder or made there now.

    One process makes it while the others wait at a lock. What was altered, is incomplete, or belongs to another user is
    made anew. Raises OSError when the folder can't be written, and whatever ONNX Runtime raises for a bad graph.
    """
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = cache / _key(digest)
    with _locked(folder.with_suffix(".lock")):
        if fault := _fault(folder):
            logger.info("pre-packing the model's weights", extra={"cause": fault})
            _make(model_path, folder)
    return folder / GRAPH_NAME


def read_prepacked(digest: str, cache: Path) -> None:
    """Reads the files that `prepacked_graph` will check, if they are there."""
    _fault(cache / _key(digest))


def _key(digest: str) -> str:
    parts = [digest, onnxruntime.__version__, *sorted(processor_flags())]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fault(folder: Path) -> str | None:
    """Why the folder can't be used; None when every file in it is as it was made, by this user."""
    try:
        sealed = json.loads((folder / SEAL_NAME).read_text(encoding="utf-8"))
        for path in (folder, folder / GRAPH_NAME, folder / WEIGHTS_NAME, folder / SEAL_NAME):
            status = path.lstat()
            if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return f"{path.name} can be written by somebody else"
        for name in (GRAPH_NAME, WEIGHTS_NAME):
            if file_record(folder / name) != FileRecord(**sealed[name]):
                return f"{name} was altered"
    except FileNotFoundError:
        return "not made yet"
    except (OSError, ValueError, TypeError, KeyError):
        return f"{SEAL_NAME} can't be read"
    return None


def _make(model_path: Path, folder: Path) -> None:
    """Writes the folder whole or, when anything fails, not at all."""
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        options.enable_mem_reuse = False  # as in the sessions that serve: half of the time, the same files
        options.optimized_model_filepath = str(staging / GRAPH_NAME)
        for name, value in (
            ("optimized_model_external_initializers_file_name", WEIGHTS_NAME),
            ("optimized_model_external_initializers_min_size_in_bytes", str(SMALLEST_EXTERNAL_BYTES)),
            ("save_external_prepacked_constant_initializers", "1"),
        ):
            options.add_session_config_entry(f"session.{name}", value)
        onnxruntime.InferenceSession(str(model_path), options, providers=["CPUExecutionProvider"])
        seal = {name: asdict(file_record(staging / name)) for name in (GRAPH_NAME, WEIGHTS_NAME)}
        (staging / SEAL_NAME).write_text(json.dumps(seal), encoding="utf-8")
        release_freed_memory()  # what the session took: 180 MB with BERT-base
        shutil.rmtree(folder, ignore_errors=True)
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
