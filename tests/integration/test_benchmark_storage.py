"""The storage benchmark, with tiny tables: what it prints, what it checks first, and what it leaves alone."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from rows import prediction
from sqlalchemy import text

from benchmarks.figures import WrongFigures, check_figures
from benchmarks.seeding import NEWEST
from benchmarks.walking import WALK_LIMIT, WALK_PAGES, WrongPage, check_walks
from finbert_api.extensions import db
from finbert_api.settings import PROJECT_ROOT
from finbert_api.storage.predictions import PredictionStore

pytestmark = pytest.mark.benchmark

RATIOS = ("page_1m_vs_1k", "page_label_1m_vs_1k", "count_1m_vs_1k", "count_label_1m_vs_1k")
IDS = [UUID(int=number) for number in range(3 * WALK_LIMIT * WALK_PAGES, 0, -1)]


def test_prints_its_ratios_as_the_last_line_and_keeps_them(tmp_path):
    # A server that does not answer: whatever DATABASE_URL names is left alone.
    environment = os.environ | {"DATABASE_URL": "postgresql://nobody@192.0.2.1/theirs"}
    command = [sys.executable, "-m", "benchmarks", "storage", "--rows-small=1000", "--rows-large=1200", "--rounds=2"]
    done = subprocess.run(
        [*command, f"--results={tmp_path}"],
        cwd=PROJECT_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["rows"] == [1000, 1200]
    # Three walks over each view of each table; the smaller views have fewer rows than a walk would reach.
    assert all(met > 3 * WALK_LIMIT * WALK_PAGES for met in figures["checked"])
    assert all(figures[name] > 0 for name in RATIOS)
    assert figures["analytics_ms_max"] >= max(figures["analytics_ms"].values()) > 0
    assert figures["export_peak_mb"] >= 0
    assert json.loads((tmp_path / "storage.json").read_text()) == figures
    assert (tmp_path / "storage.png").read_bytes().startswith(b"\x89PNG")


def test_figures_that_the_table_contradicts_fail_the_check(app, database_url):
    made = [prediction(request_id=UUID(int=int((NEWEST - timedelta(days=9)).timestamp() * 1000) << 80 | 1))]
    with app.app_context():
        PredictionStore().add_all(made)
        check_figures(app, database_url)
        db.session.execute(text("UPDATE prediction_rollup SET positive = positive + 1"))
        db.session.commit()
        with pytest.raises(WrongFigures, match="m-1"):
            check_figures(app, database_url)


@dataclass
class Item:
    request_id: UUID


@dataclass
class Answer:
    items: list[Item]
    next_cursor: UUID | None
    total_count: int


def pages_of(ids, total_count):
    """Pages as a right store gives them, over whatever ids."""

    def page(limit, cursor):
        older = ids if cursor is None else [each for each in ids if each < cursor]
        items = [Item(each) for each in older[:limit]]
        return Answer(items, items[-1].request_id if len(older) > limit else None, total_count)

    return page


@pytest.mark.parametrize("rows", [0, 1, WALK_LIMIT, WALK_LIMIT * WALK_PAGES, len(IDS)])
def test_right_pages_pass_the_check(rows):
    assert check_walks(pages_of(IDS[:rows], rows), IDS[:rows]) >= rows


@pytest.mark.parametrize("place", [0, WALK_LIMIT, len(IDS) // 2, len(IDS) - 1])
def test_a_skipped_prediction_fails_the_check(place):
    with pytest.raises(WrongPage, match="skip"):
        check_walks(pages_of(IDS[:place] + IDS[place + 1 :], len(IDS)), IDS)


def test_a_repeated_prediction_fails_the_check():
    with pytest.raises(WrongPage, match="repeat"):
        check_walks(pages_of(IDS[:5] + IDS[4:], len(IDS)), IDS)


def test_an_estimated_count_fails_the_check():
    with pytest.raises(WrongPage, match="total_count is 901"):
        check_walks(pages_of(IDS, len(IDS) + 1), IDS)


def test_a_last_page_that_promises_another_fails_the_check():
    def page(limit, cursor):
        answer = pages_of(IDS, len(IDS))(limit, cursor)
        return Answer(answer.items, answer.items[-1].request_id, answer.total_count)

    with pytest.raises(WrongPage, match="ends at the wrong place"):
        check_walks(page, IDS)
