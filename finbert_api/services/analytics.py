"""What the predictions of a time say together: by label, source, version and hour, and how right people find them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from finbert_api.domain.analytics import Agreement, Bucket, Figures, Window, agreement_of, series_window, total
from finbert_api.domain.caller import Caller
from finbert_api.storage.analytics import AnalyticsStore, Selection


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a window, and of its versions and most frequent sources, of which there are `source_count`.

    None where sources are too many to be summed up.
    """

    window: Window
    figures: Figures
    versions: Mapping[str, Figures]
    sources: Mapping[str, Figures] | None
    source_count: int | None


@dataclass(frozen=True, slots=True)
class Series:
    """The figures of each bucket of a window, oldest first, none left out."""

    bucket: Bucket
    window: Window
    buckets: Sequence[tuple[datetime, Figures]]


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of a window side by side: what they said, and how far people agreed."""

    window: Window
    figures: Figures
    versions: Sequence[tuple[str, Figures, Agreement]]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How far people agreed with the predictions of a window, and with each version's."""

    window: Window
    agreement: Agreement
    versions: Mapping[str, Agreement]


class AnalyticsService:
    """Figures over predictions: a client's own, an admin's of all keys.

    Windows are widened to whole hours, and each answer says what it covers. Every method may raise StorageUnavailable.
    """

    def __init__(self, store: AnalyticsStore) -> None:
        self._store = store

    def summary(self, window: Window, source: str | None, model_version: str | None, caller: Caller) -> Summary:
        """Counts, confidence and latencies, by label, version and source."""
        selection = Selection(window.widened(Bucket.HOUR), caller.visible_key_id, source, model_version)
        versions, sources, source_count = self._store.by_version_and_source(selection)
        return Summary(selection.window, total(list(versions.values())), versions, sources, source_count)

    def series(
        self, bucket: Bucket, window: Window, source: str | None, model_version: str | None, caller: Caller
    ) -> Series:
        """The same by hour or by day, those without predictions too; at most MOST_BUCKETS of them."""
        since, until = series_window(bucket, window, datetime.now(UTC))
        selection = Selection(Window(since, until), caller.visible_key_id, source, model_version)
        found = self._store.by_start(selection, bucket)
        starts = [since + number * bucket.length for number in range((until - since) // bucket.length)]
        return Series(bucket, selection.window, [(start, found.get(start, Figures())) for start in starts])

    def versions(self, window: Window, caller: Caller) -> Versions:
        """Every version that predicted in the window, beside the others."""
        selection = Selection(window.widened(Bucket.HOUR), caller.visible_key_id)
        figures, agreements = self._store.by_version(selection)
        side_by_side = [(version, each, agreements.get(version, Agreement({}))) for version, each in figures.items()]
        return Versions(selection.window, total(list(figures.values())), side_by_side)

    def accuracy(self, window: Window, model_version: str | None, caller: Caller) -> Accuracy:
        """Accuracy, precision, recall and confusion by people's feedback on the predictions of the window."""
        selection = Selection(window.widened(Bucket.HOUR), caller.visible_key_id, model_version=model_version)
        versions = self._store.agreements(selection)
        return Accuracy(selection.window, agreement_of(list(versions.values())), versions)
