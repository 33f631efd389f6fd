"""Why a text has its label: what each of its words does for it."""

import re
from collections.abc import Sequence

from finbert_api.domain.documents import Explanation, WordChange
from finbert_api.domain.sentences import Span
from finbert_api.services.scores import ScoreService

MOST_WORDS = 200
# A long text is read whole for each of its words: all these readings together may have so many tokens.
MOST_TOKENS = 16_384

_IDEOGRAPH = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# Between white space; Chinese and Japanese have none, and BERT reads their characters one by one.
_WORD = re.compile(rf"[{_IDEOGRAPH}]|[^\s{_IDEOGRAPH}]+")
_PUNCTUATION = ".,;:!?\u2026\"'()[]{}\u00ab\u00bb\u2018\u2019\u201c\u201d\u3001\u3002\uff01\uff0c"


class ExplanationService:
    """Texts explained; nothing of them is stored but the scores of the whole text in the cache, under a digest."""

    def __init__(self, scores: ScoreService) -> None:
        self._scores = scores

    def explain(self, text: str, deadline: float) -> Explanation:
        """The change of the top label's score when each word is left out, for as many words as the bounds allow.

        That is the leave-one-out method (Li, Monroe, Jurafsky, "Understanding Neural Networks through Representation
        Erasure", 2016): change(word) = score(text without the word) - score(text). When not all words can be tried, the
        first are. `deadline` is in seconds of time.monotonic(). Raises ModelUnavailable, Overloaded, DeadlinePassed and
        InferenceFailed.
        """
        scored, _ = self._scores.score(text, deadline)
        there = words(text)
        tried = there[: min(MOST_WORDS, max(1, MOST_TOKENS // scored.token_count))]
        without = self._scores.score_variants([text[: word.start] + text[word.end :] for word in tried], deadline)
        label = scored.sentiment.label
        return Explanation(
            sentiment=scored.sentiment,
            words=[
                WordChange(
                    span=word,
                    word=text[word.start : word.end],
                    change=variant.sentiment.scores[label] - scored.sentiment.confidence,
                )
                for word, variant in zip(tried, without, strict=True)
            ],
            word_count=len(there),
            token_count=scored.token_count,
            truncated=scored.truncated,
            model_version=scored.model_version,
        )


def words(text: str) -> Sequence[Span]:
    """The words of a text as its author wrote them, without the punctuation around them; ideographs one by one."""
    found: list[Span] = []
    for match in _WORD.finditer(text):
        word = match.group().strip(_PUNCTUATION)
        if any(map(str.isalnum, word)):
            start = match.start() + match.group().index(word)
            found.append(Span(start, start + len(word)))
    return found
