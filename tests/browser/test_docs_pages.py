"""The documentation pages in a real browser with no network but this service."""

import html
import shutil
import subprocess

import pytest
from described import operations

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="NOT RUN: no Chromium on this machine (Debian: apt-get install chromium)")
@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_a_page_draws_every_operation(live_docs, tmp_path, page):
    result = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={tmp_path}", "--virtual-time-budget=20000", "--dump-dom",
            f"http://127.0.0.1:{live_docs.port}{page}",
        ],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    document = live_docs.request("GET", "/openapi.json")[2]
    summaries = [operation["summary"] for _, _, operation in operations(document)]
    assert len(summaries) > 10
    drawn = html.unescape(result.stdout)
    assert [summary for summary in summaries if summary not in drawn] == []
