"""Proof that pages are right, before anybody is told how fast they are."""

from collections.abc import Callable, Sequence
from uuid import UUID

from finbert_api.domain.prediction import Page

WALK_LIMIT = 100  # the API's largest page
WALK_PAGES = 3


class WrongPage(Exception):
    """A page that skips or repeats predictions, or counts them wrongly."""


def check_walks(page: Callable[[int, UUID | None], Page], expected: Sequence[UUID]) -> int:
    """Walks some pages from the newest prediction, from the middle, and to the very end; the predictions met.

    `page` gives a page by limit and cursor, `expected` all the ids it should lead to, newest first, from another
    source. Raises WrongPage at the first difference.
    """
    reach = WALK_LIMIT * WALK_PAGES
    met = 0
    for start in sorted({0, len(expected) // 2, max(0, len(expected) - reach)}):
        cursor = expected[start - 1] if start else None
        walked: list[UUID] = []
        for _ in range(WALK_PAGES):
            answer = page(WALK_LIMIT, cursor)
            walked += [item.request_id for item in answer.items]
            cursor = answer.next_cursor
            if answer.total_count != len(expected):
                raise WrongPage(f"total_count is {answer.total_count:,}, the table holds {len(expected):,}")
            if cursor is None:
                break
        if walked != list(expected[start : start + reach]):
            raise WrongPage(f"{WALK_PAGES} pages from row {start:,} on skip, repeat or misplace predictions")
        if (cursor is None) is not (start + reach >= len(expected)):
            raise WrongPage(f"the walk from row {start:,} on ends at the wrong place")
        met += len(walked)
    return met
