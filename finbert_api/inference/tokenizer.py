"""Text to token ids, with the `tokenizers` library alone: serving needs no transformers."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
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


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a text that the model reads whole: text[start:end], and which of the text's tokens these are.

    Those are `token_count` from `first_token` on; the model reads `special_tokens` more.
    """

    start: int
    end: int
    first_token: int
    token_count: int
    special_tokens: int


class TextTokenizer:
    """WordPiece as the artifact's tokenizer.json defines it, cut at the model's own limit and never silently."""

    def __init__(self, path: Path, max_tokens: int) -> None:
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception for any unreadable file
            raise ArtifactError(f"{path} can't be read as a tokenizer: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length=max_tokens)
        self._special_tokens = self._tokenizer.num_special_tokens_to_add(is_pair=False)
        self._most_tokens = max_tokens - self._special_tokens

    def tokenize(self, text: str) -> Tokens:
        """Ids of the first `max_tokens` tokens of the text; `truncated` says whether there were more."""
        encoding = self._tokenizer.encode(text)
        return Tokens(ids=encoding.ids, truncated=bool(encoding.overflowing))

    def windows(self, text: str) -> list[Window]:
        """The text in one window if the model can read it whole, else in windows that begin and end at words.

        Neighbours share at least about a quarter of what fits, so that every word is read with what stands before and
        after it. The last window reaches back as far as it can.
        """
        encoding = self._tokenizer.encode(text)
        if not encoding.overflowing:
            return [Window(0, len(text), 0, len(encoding.ids) - self._special_tokens, self._special_tokens)]
        tokens = [
            (word, offsets)
            for part in (encoding, *encoding.overflowing)
            for word, offsets, special in zip(part.word_ids, part.offsets, part.special_tokens_mask, strict=True)
            if not special
        ]
        words = [place for place, (word, _) in enumerate(tokens) if place == 0 or word != tokens[place - 1][0]]
        return [
            Window(tokens[first][1][0], tokens[end - 1][1][1], first, end - first, self._special_tokens)
            for first, end in _cuts(words, len(tokens), self._most_tokens)
        ]


def _cuts(words: Sequence[int], tokens: int, most: int) -> list[tuple[int, int]]:
    """From which token to which each window goes, given at which tokens words begin; one longer than `most` is cut."""
    cuts: list[tuple[int, int]] = []
    first = 0
    while tokens - first > most:
        end = words[bisect_right(words, first + most) - 1]
        end = end if end > first else first + most
        if cuts and end <= cuts[-1][1]:  # a long word stands in the way: no room for what is before it
            first = cuts[-1][1]
            continue
        cuts.append((first, end))
        place = bisect_left(words, end - most // 4)
        first = min(words[place], end) if place < len(words) else end
    place = bisect_left(words, tokens - most)
    cuts.append((min(words[place], first) if place < len(words) else first, tokens))
    return cuts


@lru_cache(maxsize=4)
def loaded_tokenizer(path: Path, digest: str, max_tokens: int) -> TextTokenizer:  # noqa: ARG001 - tells files apart
    """The tokenizer of this file, whose sha256 the caller knows, loaded once in a process and for those forked from it.

    Its vocabulary takes 10 MB. Raises ArtifactError when the file can't be read.
    """
    return TextTokenizer(path, max_tokens)
