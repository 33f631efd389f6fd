"""The tokenizer of a checkpoint to the one file that serving reads."""

import copy
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from finbert_api.domain.errors import CheckpointError, ParityError
from finbert_api.inference.tokenizer import TextTokenizer
from finbert_api.modelling.checkpoint import Checkpoint


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
