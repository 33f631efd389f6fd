"""The documentation pages in a real browser with no network but this service."""

import shutil
import subprocess

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="NOT RUN: no Chromium on this machine (Debian: apt-get install chromium)")
@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_a_page_draws_every_operation(live_docs, tmp_path, page):
    result = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={tmp_path}", "--virtual-time-budget=20000", "--dump-dom", live_docs + page,
        ],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    for summary in ("Predict the sentiment of a text", "List predictions, newest first", "Find a prediction by its id"):
        assert summary in result.stdout
