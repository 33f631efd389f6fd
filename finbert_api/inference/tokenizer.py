"""Text to token ids, with the `tokenizers` library alone: serving needs no transformers."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tokenizers import Tokenizer

from finbert_api.domain.errors import ArtifactError


@dataclass(frozen=True, slots=True)
class Tokens:
    """The token ids the model reads, special tokens included, and whether the text had more than fit."""

    ids: list[int]
    truncated: bool

    def __len__(self) -> int:
        return len(self.ids)


class TextTokenizer:
    """WordPiece as the artifact's tokenizer.json defines it, cut at the model's own limit and never silently."""

    def __init__(self, path: Path, max_tokens: int) -> None:
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception for any unreadable file
            raise ArtifactError(f"{path} can't be read as a tokenizer: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length=max_tokens)

    def tokenize(self, text: str) -> Tokens:
        """Ids of the first `max_tokens` tokens of the text; `truncated` says whether there were more."""
        encoding = self._tokenizer.encode(text)
        return Tokens(ids=encoding.ids, truncated=bool(encoding.overflowing))


@lru_cache(maxsize=4)
def loaded_tokenizer(path: Path, digest: str, max_tokens: int) -> TextTokenizer:  # noqa: ARG001 - tells files apart
    """The tokenizer of this file, whose sha256 the caller knows, loaded once in a process and for those forked from it.

    Its vocabulary takes 10 MB. Raises ArtifactError when the file can't be read.
    """
    return TextTokenizer(path, max_tokens)
