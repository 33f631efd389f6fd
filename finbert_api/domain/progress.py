"""How long work shows that it goes on, without the work knowing about a terminal."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Progress(Protocol):
    """Wraps the items of a long loop; the command line passes a bar, everything else `silent`."""

    def __call__(
        self, items: Iterable[Item], /, *, total: int | None = None, desc: str | None = None
    ) -> Iterable[Item]:
        """The same items in the same order; `desc` names the work, `total` their number when it is not to be asked."""


def silent(items: Iterable[Item], /, *, total: int | None = None, desc: str | None = None) -> Iterable[Item]:  # noqa: ARG001 - the signature of Progress
    """The items, with nothing shown."""
    return items
