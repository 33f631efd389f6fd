"""Writes an artifact whose graph adds up what each of two known words says: a real graph with known scores."""

import numpy as np
import onnx
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from finbert_api.domain.sentiment import Label
from finbert_api.inference.artifact import (
    MODEL_NAME,
    TOKENIZER_NAME,
    GoldenText,
    Manifest,
    file_record,
    read_artifact,
    write_manifest,
)

POSITIVE, NEGATIVE, NEUTRAL = Label
VOCABULARY = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "rose": 4, "fell": 5}
# The artifact's own order of the logits, which is not that of Label.
ORDER = (NEUTRAL, POSITIVE, NEGATIVE)


def write_artifact(directory, rose=POSITIVE):
    """An artifact that adds up what each known word says: `rose` one label, `fell` negative, nothing neutral."""
    directory.mkdir()
    words = np.zeros((len(VOCABULARY), 3), dtype=np.float32)
    words[VOCABULARY["rose"], ORDER.index(rose)] = 4
    words[VOCABULARY["fell"], ORDER.index(NEGATIVE)] = 4
    words[VOCABULARY["[CLS]"], ORDER.index(NEUTRAL)] = 2
    helper, numbers = onnx.helper, onnx.numpy_helper
    inputs = [
        helper.make_tensor_value_info(name, onnx.TensorProto.INT64, ["texts", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["words", "input_ids"], ["each"]),
            helper.make_node("ReduceSum", ["each", "axes"], ["logits"], keepdims=0),
        ],
        "words",
        inputs,
        [helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["texts", 3])],
        [numbers.from_array(words, "words"), numbers.from_array(np.array([1]), "axes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, directory / MODEL_NAME)
    tokenizer = Tokenizer(models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.save(str(directory / TOKENIZER_NAME))
    manifest = Manifest(
        name="words",
        version="1.0.0",
        labels=ORDER,
        precision="fp32",
        max_tokens=64,
        files={name: file_record(directory / name) for name in (MODEL_NAME, TOKENIZER_NAME)},
        golden_texts=(GoldenText("rose", dict.fromkeys(Label, 0.3333)),),
        golden_tolerance=1.0,
        base_model={"name": "none"},
    )
    write_manifest(directory, manifest)
    return read_artifact(directory)


def text_of(tokens, word="x"):
    """A text that the words artifact reads as that many tokens."""
    return " ".join([word] * (tokens - 2))
