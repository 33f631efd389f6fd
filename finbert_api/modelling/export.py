"""PyTorch to a fused fp32 ONNX graph, and the tokenizer to the one file that serving reads."""

import copy
import logging
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import torch
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_model
from tokenizers import Tokenizer

from finbert_api.domain.errors import CheckpointError, ParityError
from finbert_api.inference.session import LOGITS_OUTPUT
from finbert_api.inference.tokenizer import TextTokenizer
from finbert_api.modelling.checkpoint import Checkpoint

OPSET = 17
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class _LogitsOnly(torch.nn.Module):
    """The classifier with positional inputs in the order of INPUTS and one tensor out, as the exporter wants it."""

    def __init__(self, classifier: Any) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        """Logits [texts, labels]."""
        logits: torch.Tensor = self.classifier(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).logits
        return logits


def export_fused(checkpoint: Checkpoint) -> onnx.ModelProto:
    """The fp32 graph of a checkpoint with fused attention, layer normalisation and GELU, batch and tokens dynamic.

    Padding must stand at the end of each row: the fused attention reads the mask as a length. The embedding lookups
    stay unfused, so that the word table can be quantised. Raises CheckpointError when a fusion did not take place,
    which would cost speed and hide weights from the quantiser.
    """
    config = checkpoint.model.config
    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "model.onnx"
        _export(checkpoint.model, path)
        options = FusionOptions("bert")
        options.use_multi_head_attention = True
        options.enable_embed_layer_norm = False
        fused: onnx.ModelProto = optimize_model(
            str(path),
            "bert",
            num_heads=config.num_attention_heads,
            hidden_size=config.hidden_size,
            optimization_options=options,
            opt_level=0,
        ).model
    _check_fused(checkpoint, fused)
    return fused


def export_tokenizer(checkpoint: Checkpoint, path: Path, texts: Sequence[str]) -> None:
    """Writes tokenizer.json and proves on the texts that serving reads from it the ids of the original tokenizer.

    Raises CheckpointError for a tokenizer that has no such form or knows hardly a word of the texts, and ParityError
    naming the first text whose ids differ.
    """
    backend = getattr(checkpoint.tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        raise CheckpointError(f"{checkpoint.model_id} has a tokenizer that can't be written as tokenizer.json")
    # A copy, since the original's own padding and truncation settings change with each call of it.
    tokenizer = copy.deepcopy(backend)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(path), pretty=False)

    serving = TextTokenizer(path, checkpoint.max_tokens)
    unknown = total = 0
    for text in texts:
        ids = checkpoint.token_ids(text)
        if serving.tokenize(text).ids != ids:
            raise ParityError(f"the written tokenizer gives other ids than the original for {text[:80]!r}")
        unknown += ids.count(checkpoint.tokenizer.unk_token_id)
        total += len(ids)
    if unknown * 2 > total:
        # A vocabulary that was misread makes every word [UNK], in the original and in the copy alike.
        raise CheckpointError(f"{checkpoint.model_id} has a tokenizer that knows less than half of plain English text")


def _export(model: Any, path: Path) -> None:
    ids = torch.ones(2, 8, dtype=torch.int64)
    by_text_and_token = {0: "texts", 1: "tokens"}
    torch.onnx.export(
        _LogitsOnly(model).eval(),
        (ids, ids, torch.zeros_like(ids)),
        str(path),
        dynamo=False,
        opset_version=OPSET,
        input_names=list(INPUTS),
        output_names=[LOGITS_OUTPUT],
        dynamic_axes=dict.fromkeys(INPUTS, by_text_and_token) | {LOGITS_OUTPUT: {0: "texts"}},
    )


def _check_fused(checkpoint: Checkpoint, fused: onnx.ModelProto) -> None:
    layers = checkpoint.model.config.num_hidden_layers
    found = Counter(node.op_type for node in fused.graph.node)
    expected = {
        "MultiHeadAttention": layers,
        "SkipLayerNormalization": 2 * layers,
        "BiasGelu": layers,
        "MatMul": 6 * layers,
    }
    for op_type, count in expected.items():
        if found[op_type] != count:
            raise CheckpointError(
                f"{checkpoint.model_id} can't be fused: {found[op_type]} {op_type} nodes instead of {count}"
            )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps back what the legacy exporter and the optimiser say on every BERT, at length and without consequence."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
