from dataclasses import replace

import numpy as np
import onnx
import pytest
from checkpoints import SPECIAL_TOKENS, write_checkpoint

from finbert_api.domain.errors import CheckpointError, ParityError
from finbert_api.inference.session import ModelSession
from finbert_api.inference.tokenizer import TextTokenizer
from finbert_api.modelling.checkpoint import load_checkpoint
from finbert_api.modelling.export import export_fused, export_tokenizer
from finbert_api.modelling.parity import compare, parity_texts
from finbert_api.modelling.scoring import onnx_scores

TEXTS = ("sales rose", "sales fell", "the company said that net sales grew to 9.5 million euros", "no news", "中国 🚀")


class Borrowed:
    """A tokenizer that answers as one model's does and would be written as another's."""

    def __init__(self, answers, written):
        self._answers = answers
        self.backend_tokenizer = written
        self.unk_token_id = answers.unk_token_id

    def __call__(self, *args, **kwargs):
        return self._answers(*args, **kwargs)


@pytest.fixture
def tokenizer(checkpoint, tmp_path):
    export_tokenizer(checkpoint, tmp_path / "tokenizer.json", TEXTS)
    return TextTokenizer(tmp_path / "tokenizer.json", checkpoint.max_tokens)


def test_the_fused_graph_scores_as_pytorch_does(checkpoint, fused, tokenizer, tmp_path):
    onnx.save(fused, tmp_path / "model.onnx")
    texts = [*TEXTS, "the annual general meeting " * 200]
    scores = onnx_scores(tmp_path / "model.onnx", tokenizer, texts)
    parity = compare("fp32", scores, checkpoint.scores(texts))
    assert parity.max_difference < 1e-5
    # The scores depend on the text, or the line above would say nothing.
    assert scores.std(axis=0).max() > 0.2


def test_attention_normalisation_and_gelu_are_fused(fused, checkpoint):
    layers = checkpoint.model.config.num_hidden_layers
    kinds = [node.op_type for node in fused.graph.node]
    assert kinds.count("MultiHeadAttention") == layers
    assert kinds.count("SkipLayerNormalization") == 2 * layers
    assert kinds.count("BiasGelu") == layers
    assert not {"Softmax", "Erf", "FastGelu", "Attention", "ReduceMean"} & set(kinds)


def test_a_graph_that_did_not_fuse_is_refused(checkpoint, monkeypatch):
    monkeypatch.setattr(checkpoint.model.config, "num_hidden_layers", 3)
    with pytest.raises(CheckpointError, match="can't be fused: 2 MultiHeadAttention nodes instead of 3"):
        export_fused(checkpoint)


def test_fp32_scores_do_not_depend_on_batch_neighbours(fused, tmp_path):
    onnx.save(fused, tmp_path / "model.onnx")
    session = ModelSession(tmp_path / "model.onnx", intra_op_threads=2)
    rows = np.random.default_rng(1)
    batch = [[2, *rows.integers(5, 200, length).tolist(), 3] for length in (1, 9, 14, 15, 33, 62, 63, 100, 130, 158)]
    together = session.run(batch)
    for row, ids in enumerate(batch):
        assert session.run([ids]).tobytes() == together[row].tobytes()


def test_the_written_tokenizer_gives_the_ids_of_the_original(checkpoint, tmp_path):
    texts = parity_texts()
    export_tokenizer(checkpoint, tmp_path / "tokenizer.json", texts)
    serving = TextTokenizer(tmp_path / "tokenizer.json", checkpoint.max_tokens)
    for text in texts:
        expected = checkpoint.tokenizer(text, truncation=True, max_length=160)["input_ids"]
        assert serving.tokenize(text).ids == expected


def test_a_tokenizer_with_other_ids_is_refused(checkpoint, tmp_path):
    folder = write_checkpoint(tmp_path / "other", layers=1, lessons=0)
    vocabulary = (folder / "vocab.txt").read_text(encoding="utf-8")
    (folder / "vocab.txt").write_text(vocabulary.replace("\nrose\n", "\nascended\n"), encoding="utf-8")
    other = load_checkpoint(str(folder)).tokenizer
    spoiled = replace(checkpoint, tokenizer=Borrowed(checkpoint.tokenizer, other.backend_tokenizer))
    with pytest.raises(ParityError, match="other ids than the original for 'sales rose'"):
        export_tokenizer(spoiled, tmp_path / "tokenizer.json", TEXTS)


def test_a_tokenizer_of_no_such_form_is_refused(checkpoint, tmp_path):
    spoiled = replace(checkpoint, tokenizer=Borrowed(checkpoint.tokenizer, None))
    with pytest.raises(CheckpointError, match=r"can't be written as tokenizer\.json"):
        export_tokenizer(spoiled, tmp_path / "tokenizer.json", TEXTS)


def test_a_misread_vocabulary_is_refused(tmp_path):
    folder = write_checkpoint(tmp_path / "misread", layers=1, lessons=0)
    unused = "\n".join(f"[unused{number}]" for number in range(50))
    (folder / "vocab.txt").write_text("\n".join(SPECIAL_TOKENS) + f"\n{unused}\n")
    with pytest.raises(CheckpointError, match="knows less than half"):
        export_tokenizer(load_checkpoint(str(folder)), tmp_path / "tokenizer.json", parity_texts())
