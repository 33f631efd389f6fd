"""How the cost of a page of predictions, and of their count, grows with the table: a small and a large one in pairs.

The databases are made for the run, in an embedded PostgreSQL in a temporary folder. DATABASE_URL is not read: a
benchmark has no business in anybody's data.
"""

import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import click
import psycopg
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import Engine, event
from tqdm import tqdm

from benchmarks.exporting import WrongExport, measure_export
from benchmarks.figures import WrongFigures, check_figures, measure_figures, summed_up
from benchmarks.report import RESULTS, keep, paired_bars
from benchmarks.seeding import DORMANT_KEY_ID, DORMANT_LABEL, STEADY_KEY_ID, STEADY_LABEL, seed
from benchmarks.walking import WrongPage, check_walks
from finbert_api.app import create_app
from finbert_api.domain.errors import FinbertError
from finbert_api.domain.prediction import PredictionFilter
from finbert_api.domain.sentiment import Label
from finbert_api.extensions import db
from finbert_api.inference.unavailable_engine import UnavailableEngine
from finbert_api.settings import settings_from_environment
from finbert_api.storage.embedded import embedded_postgres
from finbert_api.storage.predictions import PredictionStore

LIMIT = 20  # the API's default
WARM_UP_ROUNDS = 20
FEWEST_ROWS = 1_000  # with fewer, a view of the small table would not fill a page behind every cursor

Medians = Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class View:
    """Which predictions are listed: those of all keys or of one, with all labels or with one."""

    suffix: str
    label: Label | None
    key_id: UUID | None

    @property
    def wanted(self) -> PredictionFilter:
        """The filter of the view."""
        return PredictionFilter(label=self.label)


VIEWS = (
    View("", None, None),
    View("_label", STEADY_LABEL, None),
    View("_dormant_label", DORMANT_LABEL, None),
    View("_key", None, STEADY_KEY_ID),
    View("_key_label", STEADY_LABEL, STEADY_KEY_ID),
    View("_dormant_key", None, DORMANT_KEY_ID),
    View("_dormant_key_label", STEADY_LABEL, DORMANT_KEY_ID),
)


@dataclass
class Table:
    """A seeded database and an application over it; `cursors` point all over the table, for each view its own."""

    url: str
    app: Flask
    statements: list[tuple[str, float]]
    store: PredictionStore = field(default_factory=PredictionStore)
    cursors: dict[View, Sequence[UUID]] = field(default_factory=dict)

    def timed_page(self, view: View, cursor: UUID | None) -> dict[str, float]:
        """Seconds of one page: of the whole call, of its query for the rows, of its query for the count."""
        with self.app.app_context():
            self.statements.clear()
            started = time.perf_counter()
            self.store.page(LIMIT, cursor, view.wanted, view.key_id)
            seconds = {"page": time.perf_counter() - started}
        for statement, duration in self.statements:
            seconds["count" if "prediction_counts" in statement else "query"] = duration
        return seconds

    def check(self, view: View, rows: int) -> int:
        """Compares pages and counts of the view with what plain SQL says, and draws the view's cursors.

        Gives the number of predictions met on the way. Raises WrongPage when something differs.
        """
        wanted = {name: value for name, value in (("label", view.label), ("key_id", view.key_id)) if value}
        conditions = " AND ".join(f"{name} = %({name})s" for name in wanted) or "true"
        query = f"SELECT request_id FROM predictions WHERE {conditions} ORDER BY request_id DESC"
        with psycopg.connect(self.url) as connection:
            expected = [request_id for (request_id,) in connection.execute(query.encode(), wanted)]
        if not wanted and len(expected) != rows:
            raise WrongPage(f"the table holds {len(expected):,} rows, not {rows:,}")
        # Behind each of them is a full page.
        self.cursors[view] = random.Random(rows).choices(expected[: -LIMIT - 1], k=1_000)  # noqa: S311 - no secrets
        with self.app.app_context():
            return check_walks(lambda limit, cursor: self.store.page(limit, cursor, view.wanted, view.key_id), expected)


@click.command()
@click.option("--rows-small", type=click.IntRange(FEWEST_ROWS), default=1_000, show_default=True)
@click.option("--rows-large", type=click.IntRange(FEWEST_ROWS), default=1_000_000, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=300, show_default=True, help="Pairs of each measurement.")
@click.option("--results", type=click.Path(file_okay=False, path_type=Path), default=RESULTS, help="Where files go.")
def storage(rows_small: int, rows_large: int, rounds: int, results: Path) -> None:
    """Compare pages and counts of a small and of a large table, and measure analytics and export over the large one.

    The last line is one JSON object: medians of the large table over medians of the small one, as NAME_1m_vs_1k;
    analytics_ms_max, the slowest of all questions; export_peak_mb, what an export of everything takes.
    """
    sizes = (rows_small, rows_large)
    with TemporaryDirectory(prefix="finbert-benchmark-") as folder, ExitStack() as stack:
        try:
            tables = [_table(stack, Path(folder), f"table{index}", rows) for index, rows in enumerate(sizes)]
            walks = [
                [table.check(view, rows) for table, rows in zip(tables, sizes, strict=True)]
                for view in tqdm(VIEWS, desc="check pages and counts")
            ]
            check_figures(tables[-1].app, tables[-1].url)
            medians = _measure(tables, rounds)
            figures = summed_up(measure_figures(tables[-1].app, rounds))
            figures |= measure_export(tables[-1].url, rows_large)
        except (FinbertError, WrongPage, WrongFigures, WrongExport) as error:
            raise click.ClickException(str(error)) from error
        checked = [sum(met) for met in zip(*walks, strict=True)]
        print(f"checked: {checked} predictions on pages, and all counts, are as plain SQL gives them")
    for name, (small, large) in medians.items():
        print(f"{name:<30}{small:>9.3f} ms{large:>9.3f} ms{large / small:>8.2f}x")
    conditions = {"rows": sizes, "checked": checked, "rounds": rounds, "limit": LIMIT}
    keep("storage", _ratios(medians) | figures | conditions | _milliseconds(medians), _picture(medians, sizes), results)


def _table(stack: ExitStack, folder: Path, name: str, rows: int) -> Table:
    url = stack.enter_context(embedded_postgres(folder, name))
    # Nothing but the address: whatever else the environment says is not what is measured. The log would be in the way
    # of the last line.
    settings = settings_from_environment({"DATABASE_URL": url, "LOG_LEVEL": "CRITICAL"})
    app = create_app(settings, engine=UnavailableEngine())
    with app.app_context():
        upgrade()
        seed(url, rows, tqdm)
        stack.callback(db.engine.dispose)
        return Table(url, app, _statements(db.engine))


def _statements(engine: Engine) -> list[tuple[str, float]]:
    """A list that every statement is added to, with the seconds from sending it to holding its answer."""
    statements: list[tuple[str, float]] = []
    started = 0.0

    @event.listens_for(engine, "before_cursor_execute")
    def before(*_: Any) -> None:
        nonlocal started
        started = time.perf_counter()

    @event.listens_for(engine, "after_cursor_execute")
    def after(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append((statement, time.perf_counter() - started))

    return statements


def _measure(tables: Sequence[Table], rounds: int) -> Medians:
    """Medians in milliseconds by name, one for each table, which take turns."""
    samples: dict[str, list[list[float]]] = defaultdict(lambda: [[] for _ in tables])
    for number in tqdm(range(-WARM_UP_ROUNDS, rounds), desc="measure"):
        for view in VIEWS:
            for place in ("", "_deep"):
                for index, table in enumerate(tables):
                    cursors = table.cursors[view]
                    cursor = cursors[number % len(cursors)] if place else None
                    for part, seconds in table.timed_page(view, cursor).items():
                        if number >= 0 and not (part == "count" and place):  # the count knows no cursor
                            samples[f"{part}{place}{view.suffix}"][index].append(seconds * 1_000)
    return {name: [median(each) for each in pair] for name, pair in samples.items()}


def _ratios(medians: Medians) -> dict[str, object]:
    return {f"{name}_1m_vs_1k": round(large / small, 3) for name, (small, large) in medians.items()}


def _milliseconds(medians: Medians) -> dict[str, object]:
    return {"median_ms": {name: [round(each, 4) for each in pair] for name, pair in medians.items()}}


def _picture(medians: Medians, sizes: Sequence[int]) -> Any:
    small, large = (f"{rows:,} rows" for rows in sizes)
    pairs = {name: (pair[0], pair[1]) for name, pair in medians.items() if not name.startswith("query")}
    return paired_bars("Listing predictions: median time", "ms", pairs, (small, large))
