"""From a checkpoint to a model artifact in its place: export, quantise, compare, and publish only what passes."""

import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from finbert_api.domain.errors import ArtifactError
from finbert_api.domain.progress import Progress, silent
from finbert_api.inference.artifact import (
    MANIFEST_NAME,
    MODEL_NAME,
    SEVEN_BIT_MODEL_NAME,
    TOKENIZER_NAME,
    Artifact,
    GoldenText,
    Manifest,
    file_record,
    read_artifact,
    write_manifest,
)
from finbert_api.inference.tokenizer import TextTokenizer
from finbert_api.modelling import parity
from finbert_api.modelling.calibrate import channel_peaks, second_moments
from finbert_api.modelling.checkpoint import Checkpoint
from finbert_api.modelling.export_tokenizer import export_tokenizer
from finbert_api.modelling.graph import bert_graph
from finbert_api.modelling.known_points import TOLERANCE, KnownPoint, check_known_points
from finbert_api.modelling.quantise import quantise_per_token
from finbert_api.modelling.scoring import onnx_scores
from finbert_api.modelling.smooth import smooth_activations

LIBRARIES = ("numpy", "onnx", "onnxruntime", "tokenizers", "torch", "transformers")
LICENSES = {"ProsusAI/finbert": "unclear (finBERT issue 76)"}

GOLDEN_TEXTS = (
    "Profit up.",
    "Bankruptcy.",
    "The company beat earnings expectations and raised full-year guidance.",
    "Operating profit fell to EUR 12.1 mn from EUR 18.4 mn a year earlier.",
    "The annual general meeting will be held in Oslo on 14 April.",
    "Net sales rose 8 % and the order book is the largest in the group's history.",
    "Shares plunged 15% after the bank warned of mounting loan losses.",
    "The supplier will cut 450 jobs and close its plant in Leeds.",
    "Revenue for the quarter was unchanged at $2.3 billion.",
    "The board consists of seven members, two of whom represent the employees.",
    "Despite weaker demand in Asia, margins improved thanks to lower raw material costs.",
    "$ACME downgraded to sell, price target slashed to $9 from $14 📉",
    (
        "The group said that it had signed a five-year agreement to maintain the rolling stock of a regional operator. "
        "The value of the contract was not disclosed. Deliveries begin next spring, and the work will be carried out "
        "at the existing depots in Turku and Tampere, with spare parts coming from the same suppliers as before."
    ),
    (
        "Full-year earnings collapsed as the airline wrote down its fleet, and the dividend was cancelled. Management "
        "now expects a further loss in the first half, blamed fuel prices and strikes, and is in talks with its "
        "lenders about the terms of its debt, which it may no longer be able to meet."
    ),
    # On a processor whose 8-bit products saturate the bundled model's graph of 8-bit weights scores these otherwise.
    "Gearing stood at 51.8% at the end of the period.",
    (
        "Zantec leases 48,700 square metres of office space from Halbelt . The group's order backlog was at the "
        "previous year's level at USD90.67mn during the financial year The reporting period ends on April 4."
    ),
)
# The golden scores are PyTorch's, so int8 starts from a difference of its own, which is measured here. What another
# processor adds to it is small (integer products are exact; the rounding of an activation may fall the other way),
# while saturating products or labels in another order add tenths.
GOLDEN_MARGINS = {"fp32": 1e-3, "int8": 5e-3}
VERSION_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def export_artifact(
    checkpoint: Checkpoint,
    output: Path,
    *,
    name: str,
    version: str,
    precision: str = "int8",
    known_as: str | None = None,
    known_points: Sequence[KnownPoint] = (),
    progress: Progress = silent,
) -> Artifact:
    """The artifact published in `output`, which holds it wholly or, when anything fails, what it held before.

    fp32 is always compared with PyTorch; when int8 is what is published, so are its graphs of 8-bit and of 7-bit
    weights. The known points are checked on the original, from which fp32 differs a hundredth of their tolerance at
    most. `known_as` is the hub id whose weights these are when they come from a folder. Raises ParityError when a gate
    refuses, ArtifactError when `output` holds something that is no artifact, CheckpointError when the checkpoint can't
    be exported.
    """
    if not VERSION_PART.fullmatch(name) or not VERSION_PART.fullmatch(version):
        raise ArtifactError(f"{name!r} and {version!r} must be a name and a version of letters, digits, '.', '_', '-'")
    _check_replaceable(output)
    figures: dict[str, Any] = {"limits": parity.LIMITS}
    if known_points:
        scores = checkpoint.scores([point.text for point in known_points])
        largest = check_known_points(known_points, scores, checkpoint.labels)
        figures["known_points"] = {"texts": len(known_points), "max_difference": largest, "limit": TOLERANCE}
    texts = [*GOLDEN_TEXTS, *parity.parity_texts()]
    golden = slice(len(GOLDEN_TEXTS))
    with _staging(output) as folder:
        export_tokenizer(checkpoint, folder / TOKENIZER_NAME, texts)
        tokenizer = TextTokenizer(folder / TOKENIZER_NAME, checkpoint.max_tokens)
        reference = checkpoint.scores(texts, progress)
        graphs = {"fp32": (MODEL_NAME, bert_graph(checkpoint))}
        if precision == "int8":
            graphs |= _int8_graphs(graphs["fp32"][1], tokenizer, progress)
        golden_difference = 0.0
        for candidate, (file, graph) in graphs.items():
            onnx.save(graph, str(folder / file))
            scores = onnx_scores(folder / file, tokenizer, texts, progress, f"{candidate} scores")
            result = parity.compare(candidate, scores, reference)
            parity.require(result)
            figures[candidate] = asdict(result)
            if candidate.startswith(precision):
                golden_difference = max(golden_difference, float(np.abs(scores[golden] - reference[golden]).max()))
        files = sorted({TOKENIZER_NAME, *(file for file, _ in graphs.values())})
        training = checkpoint.training
        manifest = Manifest(
            name=name,
            version=version,
            labels=checkpoint.labels,
            precision=precision,
            max_tokens=checkpoint.max_tokens,
            files={file: file_record(folder / file) for file in files},
            golden_texts=tuple(
                GoldenText(text, {label: round(float(s), 6) for label, s in zip(checkpoint.labels, row, strict=True)})
                for text, row in zip(GOLDEN_TEXTS, reference[golden], strict=True)
            ),
            golden_tolerance=round(golden_difference + GOLDEN_MARGINS[precision], 4),
            base_model=training.get("base_model") or _base_model(checkpoint, known_as),
            data=training.get("data", []),
            evaluation=training.get("evaluation", {}),
            parity=figures,
            libraries={library: library_version(library) for library in LIBRARIES},
            created_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        )
        write_manifest(folder, manifest)
        _replace(output, folder)
    return read_artifact(output)


def _int8_graphs(
    fp32: onnx.ModelProto, tokenizer: TextTokenizer, progress: Progress
) -> dict[str, tuple[str, onnx.ModelProto]]:
    calibration = [tokenizer.tokenize(text).ids for text in parity.calibration_texts()]
    smoothed = smooth_activations(fp32, channel_peaks(fp32, calibration, progress))
    moments = second_moments(smoothed, calibration, progress)
    return {
        "int8": (MODEL_NAME, quantise_per_token(smoothed, moments, 8, progress)),
        "int8 of 7 bits": (SEVEN_BIT_MODEL_NAME, quantise_per_token(smoothed, moments, 7, progress)),
    }


def _base_model(checkpoint: Checkpoint, known_as: str | None) -> dict[str, str]:
    """Where the weights come from; a folder is named without the path to it."""
    model_id = known_as or (checkpoint.model_id if checkpoint.revision else checkpoint.name)
    origin = {"name": model_id, "license": LICENSES.get(model_id, "not recorded")}
    return origin | ({"revision": checkpoint.revision} if checkpoint.revision else {})


def _check_replaceable(output: Path) -> None:
    if output.exists() and not (output / MANIFEST_NAME).is_file() and (output.is_file() or any(output.iterdir())):
        raise ArtifactError(f"{output} is there and holds no model artifact; it is left as it is")


@contextmanager
def _staging(output: Path) -> Iterator[Path]:
    """An empty folder beside the output, on the same file system, gone afterwards unless it was moved away."""
    folder = output.absolute().with_name(f".{output.name}.{secrets.token_hex(4)}")
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _replace(output: Path, folder: Path) -> None:
    """Puts the folder in the output's place by renaming, and what was there before out of the way and away."""
    previous = folder.with_name(f"{folder.name}.previous")
    if output.exists():
        output.rename(previous)
    try:
        folder.rename(output)
    except OSError:
        if previous.exists():
            previous.rename(output)
        raise
    shutil.rmtree(previous, ignore_errors=True)
