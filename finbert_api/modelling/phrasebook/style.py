"""The surface of a sentence: agreement, articles, capital letter, full stop, and the spacing of tokenised corpora."""

import random
import re

# Shares of the sentences.
_WITH_FULL_STOP, _TOKENISED, _LOWER_CASE = 0.85, 0.45, 0.03
_ARTICLE_BEFORE_VOWEL = re.compile(r"\b([Aa]) (?=[aeioAEIO](?!ne\b|ne-|ur|UR))")
_ARTICLE_BEFORE_SPOKEN_VOWEL = re.compile(r"\b([Aa]) (?=(?:8|11\b|18\b|11\.|18\.|EBIT|IT |un[^i]))")
_PLURAL_WAS = re.compile(r"\b(sales|revenues|earnings|exports|orders|received|costs|expenses) was\b", re.IGNORECASE)
_SINGULAR_WERE = re.compile(
    r"\b(profit|income|EBITD?A?|taxes|items|period|tax|result|operations|turnover|revenue|book|backlog|intake) were\b"
)
_SPACE_BEFORE_PUNCTUATION = re.compile(r"\s+(?=[,.;:)](?:\s|$))")
_TOKEN_BORDERS = re.compile(r"(?<=[^\s])(?=[,;:)](?:\s|$)|%|'s\b|\.$)|(?<=\()(?=\S)")


def finished(text: str, rng: random.Random) -> str:
    """The raw words of a template as a sentence, in one of the styles that corpora and news wires use."""
    text = re.sub(r"\s+", " ", text).strip(" ,")
    text = _SPACE_BEFORE_PUNCTUATION.sub("", text).replace(",,", ",")
    text = _ARTICLE_BEFORE_VOWEL.sub(r"\1n ", text)
    text = _ARTICLE_BEFORE_SPOKEN_VOWEL.sub(r"\1n ", text)
    text = _PLURAL_WAS.sub(r"\1 were", text)
    text = _SINGULAR_WERE.sub(r"\1 was", text)
    text = text[0].upper() + text[1:]
    if rng.random() < _WITH_FULL_STOP and not text.endswith("."):
        text += "."
    if rng.random() < _TOKENISED:
        text = _TOKEN_BORDERS.sub(" ", text)
    return text.lower() if rng.random() < _LOWER_CASE else text
