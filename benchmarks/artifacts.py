"""The models that are measured, made once and kept: artifacts as the service reads them, and the graphs beside them.

Their weights are random, from a fixed seed: speed and memory do not depend on the values. What a model's scores are
worth is measured on the bundled model instead. Everything lies in a folder beside the results, named by what it was
made with, and is made anew when a library or the code that makes it changes.
"""

import fcntl
import hashlib
import logging
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version as library_version
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.optimizer import optimize_model
from tqdm import tqdm
from transformers import BertConfig, BertForSequenceClassification

from benchmarks.report import RESULTS
from benchmarks.shapes import SHAPES, VOCABULARY, random_batch
from finbert_api import modelling
from finbert_api.domain.sentiment import Label, softmax
from finbert_api.inference.artifact import (
    MODEL_NAME,
    TOKENIZER_NAME,
    Artifact,
    GoldenText,
    Manifest,
    file_record,
    read_artifact,
    write_manifest,
)
from finbert_api.inference.session import ModelSession
from finbert_api.inference.tokenizer import TextTokenizer
from finbert_api.modelling.calibrate import channel_peaks
from finbert_api.modelling.checkpoint import Checkpoint
from finbert_api.modelling.graph import bert_graph
from finbert_api.modelling.publish import GOLDEN_MARGINS, GOLDEN_TEXTS
from finbert_api.modelling.quantise import quantise_per_token
from finbert_api.modelling.smooth import smooth_activations
from finbert_api.settings import BUNDLED_MODEL

ARTIFACTS = RESULTS / "artifacts"
LABELS = (Label.POSITIVE, Label.NEGATIVE, Label.NEUTRAL)
MAX_TOKENS = 512
SEED = 20261121
LIBRARIES = ("onnx", "onnxruntime", "torch", "transformers")


def random_checkpoint(model: str) -> Checkpoint:
    """A PyTorch classifier of that model's shape with random weights, the same every time; it has no tokenizer."""
    shape = SHAPES[model]
    settings: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "max_position_embeddings": MAX_TOKENS,
        "num_hidden_layers": shape.layers,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.inner,
        "num_attention_heads": shape.heads,
        "num_labels": len(LABELS),
        "attn_implementation": "eager",
    }
    torch.manual_seed(SEED)
    classifier: Any = BertForSequenceClassification(BertConfig(**settings))
    return Checkpoint(model, classifier.eval(), None, LABELS, MAX_TOKENS)


def random_artifact(model: str, precision: str) -> Artifact:
    """An artifact of random weights, fp32 or per-token int8, as `finbert model export` would write it."""

    def make(folder: Path) -> None:
        graph = bert_graph(random_checkpoint(model))
        if precision == "int8":
            # The smoothing is a node more for each normalisation; moments would change values alone.
            peaks = channel_peaks(graph, random_batch(texts=8, tokens=32), tqdm)
            graph = quantise_per_token(smooth_activations(graph, peaks), {}, progress=tqdm)
        onnx.save(graph, str(folder / MODEL_NAME))
        shutil.copyfile(BUNDLED_MODEL / TOKENIZER_NAME, folder / TOKENIZER_NAME)
        write_manifest(folder, _manifest(model, precision, folder))

    return read_artifact(_kept(f"{model}-{precision}", _graph_maker_digest(), make))


def plain_graph(model: str) -> Path:
    """PyTorch's export of the random checkpoint as it comes, fp32."""

    def make(folder: Path) -> None:
        export_plain(random_checkpoint(model), folder / MODEL_NAME)

    return _kept(f"{model}-plain", "1", make) / MODEL_NAME


def fused_graph(model: str) -> Path:
    """The plain graph through ONNX Runtime's own optimiser for BERT, fp32."""

    def make(folder: Path) -> None:
        fuse(random_checkpoint(model), plain_graph(model), folder / MODEL_NAME)

    return _kept(f"{model}-fused", "1", make) / MODEL_NAME


def dynamic_graph(model: str) -> Path:
    """The fused graph through ONNX Runtime's own dynamic quantisation."""

    def make(folder: Path) -> None:
        quantise_dynamically(fused_graph(model), folder / MODEL_NAME)

    return _kept(f"{model}-dynamic", "1", make) / MODEL_NAME


def export_plain(checkpoint: Checkpoint, path: Path) -> None:
    """Writes PyTorch's export of a checkpoint with batch and tokens dynamic."""
    ids = torch.ones(2, 8, dtype=torch.int64)
    by_text_and_token = {0: "texts", 1: "tokens"}
    names = ["input_ids", "attention_mask", "token_type_ids"]
    with _quiet():
        torch.onnx.export(
            checkpoint.model,
            (ids, ids, torch.zeros_like(ids)),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=names,
            output_names=["logits"],
            dynamic_axes=dict.fromkeys(names, by_text_and_token) | {"logits": {0: "texts"}},
        )


def fuse(checkpoint: Checkpoint, plain: Path, path: Path) -> None:
    """Writes what ONNX Runtime's own optimiser, by its defaults, makes of a plain graph."""
    config = checkpoint.model.config
    with _quiet():
        optimised = optimize_model(
            str(plain), "bert", num_heads=config.num_attention_heads, hidden_size=config.hidden_size, opt_level=0
        )
        optimised.save_model_to_file(str(path))


def quantise_dynamically(fused: Path, path: Path) -> None:
    """Writes ONNX Runtime's dynamic int8 of a graph: weights with a scale for each output channel."""
    with _quiet():
        quantize_dynamic(
            str(fused),
            str(path),
            per_channel=True,
            weight_type=QuantType.QInt8,
            # The types behind ONNX Runtime's own operators, which ONNX's shape inference does not know.
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )


def _manifest(model: str, precision: str, folder: Path) -> Manifest:
    """The manifest of the files in the folder; its golden scores are the graph's own, for there is no original."""
    tokenizer = TextTokenizer(folder / TOKENIZER_NAME, MAX_TOKENS)
    session = ModelSession(folder / MODEL_NAME)
    golden = [
        GoldenText(
            text, dict(zip(LABELS, softmax(session.run([tokenizer.tokenize(text).ids])[0].tolist()), strict=True))
        )
        for text in GOLDEN_TEXTS
    ]
    return Manifest(
        name=f"random-{model}",
        version=precision,
        labels=LABELS,
        precision=precision,
        max_tokens=MAX_TOKENS,
        files={name: file_record(folder / name) for name in (MODEL_NAME, TOKENIZER_NAME)},
        golden_texts=tuple(golden),
        golden_tolerance=GOLDEN_MARGINS[precision],
        base_model={"name": f"{model} with random weights", "license": "none"},
    )


def _graph_maker_digest() -> str:
    """A digest of the code that makes the service's own graphs."""
    sources = sorted(Path(modelling.__path__[0]).glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def _kept(name: str, code: str, make: Callable[[Path], None]) -> Path:
    """The folder of that name, made unless it is there from the same code and libraries; older ones go."""
    origin = repr((SEED, code, [(library, library_version(library)) for library in LIBRARIES]))
    folder = ARTIFACTS / f"{name}-{hashlib.sha256(origin.encode()).hexdigest()[:12]}"
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    with (ARTIFACTS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            for stale in ARTIFACTS.glob(f"{name}-{'?' * 12}"):
                shutil.rmtree(stale)
            unfinished = Path(mkdtemp(prefix=f".{name}.", dir=ARTIFACTS))
            try:
                for step in tqdm([make], desc=f"make {name}"):
                    step(unfinished)
                unfinished.rename(folder)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return folder


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps back what the exporter, the optimiser and the quantiser say on every BERT."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
