from dataclasses import replace

import pytest
from checkpoints import SPECIAL_TOKENS, write_checkpoint

from finbert_api.domain.errors import CheckpointError, ParityError
from finbert_api.inference.tokenizer import TextTokenizer
from finbert_api.modelling.checkpoint import load_checkpoint
from finbert_api.modelling.export_tokenizer import export_tokenizer
from finbert_api.modelling.parity import parity_texts

TEXTS = ("sales rose", "sales fell", "the company said that net sales grew to 9.5 million euros", "no news", "中国 🚀")


class Borrowed:
    """A tokenizer that answers as one model's does and would be written as another's."""

    def __init__(self, answers, written):
        self._answers = answers
        self.backend_tokenizer = written
        self.unk_token_id = answers.unk_token_id

    def __call__(self, *args, **kwargs):
        return self._answers(*args, **kwargs)


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
