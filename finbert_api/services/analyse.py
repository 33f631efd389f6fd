"""What a document says, sentence by sentence, however long it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from finbert_api.domain.documents import AnalysedSentence, Analysis
from finbert_api.domain.errors import FinbertError
from finbert_api.domain.sentences import Span, sentences
from finbert_api.domain.sentiment import pooled
from finbert_api.inference.batching import Scored
from finbert_api.inference.tokenizer import Window
from finbert_api.services.scores import TEXTS_AT_A_TIME, ScoreService


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence, the windows it is read in, and the text in each."""

    span: Span
    text: str
    windows: list[Window]

    @property
    def parts(self) -> list[str]:
        return [self.text[window.start : window.end] for window in self.windows]


class AnalysisService:
    """Documents analysed; nothing of them is stored but scores in the cache, under digests."""

    def __init__(self, scores: ScoreService) -> None:
        self._scores = scores

    def analyse(self, text: str, deadline: float) -> Analysis:
        """The sentiment of each sentence of a document that is not blank.

        `deadline` is in seconds of time.monotonic(). Raises ModelUnavailable, Overloaded, DeadlinePassed and
        InferenceFailed.
        """
        found = [
            _Sentence(span, words, self._scores.windows(words))
            for span in sentences(text)
            for words in [text[span.start : span.end]]
        ]
        scored = self._scored([part for sentence in found for part in sentence.parts], deadline)
        return Analysis(
            sentences=[_analysed(sentence, [scored[part] for part in sentence.parts]) for sentence in found],
            model_version=next(iter(scored.values())).model_version,
        )

    def _scored(self, texts: Sequence[str], deadline: float) -> Mapping[str, Scored]:
        """The scores of texts, by text."""
        different = list(dict.fromkeys(texts))
        scored: dict[str, Scored] = {}
        for first in range(0, len(different), TEXTS_AT_A_TIME):
            some = different[first : first + TEXTS_AT_A_TIME]
            for text, outcome in zip(some, self._scores.score_all(some, deadline), strict=True):
                if isinstance(outcome, FinbertError):
                    raise outcome
                scored[text] = outcome[0]
        return scored


def _analysed(sentence: _Sentence, scored: Sequence[Scored]) -> AnalysedSentence:
    """A sentence's sentiment: its windows', pooled so that each token counts once.

    A window weighs the sum over its tokens of 1 / (windows that hold the token).
    """
    token_count = sentence.windows[-1].first_token + sentence.windows[-1].token_count
    holders = [0] * token_count
    read = [False] * token_count
    for window, part in zip(sentence.windows, scored, strict=True):
        first, end = window.first_token, window.first_token + window.token_count
        holders[first:end] = [count + 1 for count in holders[first:end]]
        # Of what it was given, the model says how much it read.
        tokens_read = min(window.token_count, part.token_count - window.special_tokens)
        read[first : first + tokens_read] = [True] * tokens_read
    weights = [
        sum((1 / Decimal(count) for count in holders[window.first_token :][: window.token_count]), Decimal(0)) or 1
        for window in sentence.windows
    ]
    return AnalysedSentence(
        span=sentence.span,
        text=sentence.text,
        sentiment=pooled([(part.sentiment, weight) for part, weight in zip(scored, weights, strict=True)]),
        token_count=token_count,
        tokens_read=sum(read),
        windows=len(sentence.windows),
    )
