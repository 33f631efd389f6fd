"""What training and evaluation read: a text, its label, and where both come from."""

from dataclasses import dataclass

from finbert_api.domain.sentiment import Label


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled text. Texts of one `group` are variants of one another and must stay on one side of a split."""

    text: str
    label: Label
    group: str
    source: str
