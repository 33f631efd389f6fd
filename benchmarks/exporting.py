"""What an export of a whole table costs the process that streams it."""

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import psutil

from finbert_api.app import create_app
from finbert_api.inference.unavailable_engine import UnavailableEngine
from finbert_api.settings import settings_from_environment

_PATH = "/api/v1/predictions/export"
_KEY = "benchmark"


class WrongExport(Exception):
    """An export that leaves predictions out, or has lines too many."""


def measure_export(url: str, rows: int) -> dict[str, object]:
    """Megabytes that a process grows by at most while it exports all rows, and seconds; as JSON lines, as CSV.

    Each in a process of its own: in one that did other work before, memory that it holds already would hide growth.
    Raises WrongExport.
    """
    found: dict[str, object] = {}
    peaks = []
    for name, content_type, headings in (("ndjson", "application/x-ndjson", 0), ("csv", "text/csv", 1)):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            grown, lines, seconds = pool.submit(_export, url, content_type).result()
        if lines != rows + headings:
            raise WrongExport(f"the export as {name} has {lines:,} lines for {rows:,} predictions")
        peaks.append(grown)
        found[f"export_{name}"] = {"peak_mb": round(grown, 1), "seconds": round(seconds, 1)}
    return {"export_peak_mb": round(max(peaks), 1), **found}


def _export(url: str, content_type: str) -> tuple[float, int, float]:
    settings = settings_from_environment({"DATABASE_URL": url, "LOG_LEVEL": "CRITICAL", "API_KEY": _KEY})
    client = create_app(settings, engine=UnavailableEngine()).test_client()
    process = psutil.Process()
    # What a first request makes once is not what an export takes.
    client.get("/api/v1/predictions", headers={"X-API-Key": _KEY})
    before = process.memory_info().rss
    started = time.perf_counter()
    lines, peak = 0, before
    with client.get(_PATH, headers={"X-API-Key": _KEY, "Accept": content_type}, buffered=False) as response:
        for chunk in response.iter_encoded():
            lines += chunk.count(b"\n")
            peak = max(peak, process.memory_info().rss)
    return (peak - before) / 1e6, lines, time.perf_counter() - started
