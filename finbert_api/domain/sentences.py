"""Where the sentences of a text are."""

import re
from dataclasses import dataclass

from sentencex import get_sentence_boundaries  # type: ignore[import-untyped]  # it comes without types

# What sentencex takes for the end of a sentence and financial texts hardly ever mean so: units and qualifiers of
# figures when a figure or a small letter follows, and an hour when its time zone does.
_GOES_ON = re.compile(
    r"(?<!\w)(?:approx|avg|bn|ca|est|excl|incl|lab|max|min|mln|mn|pct|prev|qtr|tn|yr)\.", re.IGNORECASE
)
_HOUR = re.compile(r"[ap]\.m\.", re.IGNORECASE)
_TIME_ZONE = re.compile(r"(?:[ECMP][SD]?T|GMT|UTC|BST|CES?T|JST|HKT)\b")


@dataclass(frozen=True, slots=True)
class Span:
    """Characters of a text, as Python counts them (code points): text[start:end]."""

    start: int
    end: int


def sentences(text: str) -> list[Span]:
    """The sentences of a text in their order, without the white space around them: whatever else there is is in one.

    An empty line ends a sentence, a line end alone does not. What has no letter (`1.`, `***`) belongs to the sentence
    after it. The rules are those of sentencex for English, and those of the module. Raises UnicodeEncodeError when the
    text holds half of a surrogate pair.
    """
    found: list[Span] = []
    may_go_on = False
    for boundary in get_sentence_boundaries("en", text):
        start, end = boundary["start_index"], boundary["end_index"]
        words = text[start:end].strip()
        if not words:
            may_go_on = False
            continue
        start += text[start:end].index(words)
        end = start + len(words)
        if may_go_on and _goes_on(text[found[-1].start : found[-1].end], words):
            found[-1] = Span(found[-1].start, end)
        else:
            found.append(Span(start, end))
        may_go_on = True
    return found


def _goes_on(before: str, after: str) -> bool:
    """Whether two sentences are one."""
    if not any(map(str.isalpha, before)):
        return True
    last_word = before.rsplit(maxsplit=1)[-1]
    if _HOUR.fullmatch(last_word):
        return bool(_TIME_ZONE.match(after))
    return bool(_GOES_ON.fullmatch(last_word)) and (after[0].islower() or after[0].isdigit())
