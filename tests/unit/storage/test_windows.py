import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import wait_for

from finbert_api.settings import PROJECT_ROOT
from finbert_api.storage.windows import SharedWindows

KEY = "a key at a route"


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "windows")


def python(code, *arguments):
    """A process of its own that runs this."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True
    )


def test_a_window_moves(path):
    clock = Clock()
    windows = SharedWindows(path, clock)
    taken = []
    for second in (0, 20, 40, 59, 60, 79, 80, 81):
        clock.now = second
        taken.append(windows.hit(KEY, 3, 60))
    assert taken == [True, True, True, False, True, False, True, False]
    assert windows.state(KEY, 3, 60)[1] == 3


def test_the_state_tells_when_the_oldest_came(path):
    clock = Clock()
    windows = SharedWindows(path, clock)
    assert windows.state(KEY, 3, 60)[1] == 0
    for second in (0, 20, 70):
        clock.now = second
        windows.hit(KEY, 3, 60)
    (first, requests), (later, none) = windows.state(KEY, 3, 60), windows.state("another", 3, 60)
    assert (requests, none) == (2, 0)
    assert later - first == pytest.approx(50, abs=5)


def test_windows_are_counted_apart(path):
    windows = SharedWindows(path)
    assert [windows.hit(key, 1, 60) for key in ("a", "b", "a", "b")] == [True, True, False, False]


def test_what_no_longer_counts_takes_no_room(path):
    clock = Clock()
    windows = SharedWindows(path, clock)
    for number in range(50):
        windows.hit(f"key {number}", 10, 60)
    clock.now = 60
    windows.hit(KEY, 10, 60)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM hits").fetchone() == (1,)
    connection.close()


def test_threads_and_processes_together_never_exceed_the_limit(path):
    SharedWindows(path).close()
    code = """
import sys
from concurrent.futures import ThreadPoolExecutor
from finbert_api.storage.windows import SharedWindows

windows = SharedWindows(sys.argv[1])
with ThreadPoolExecutor(8) as pool:
    taken = list(pool.map(lambda _: windows.hit("a key", 500, 3600), range(400)))
print(sum(map(bool, taken)), taken.count(None))
"""
    processes = [python(code, path) for _ in range(2)]
    counts = [tuple(map(int, process.communicate()[0].split())) for process in processes]
    assert sum(uncounted for _, uncounted in counts) == 0
    assert sum(taken for taken, _ in counts) == 500


def test_a_process_killed_in_the_middle_of_a_hit_leaves_the_windows_whole(path):
    windows = SharedWindows(path)
    assert windows.hit(KEY, 2, 60)
    code = """
import sqlite3, sys, threading
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE hits SET number = number + 100")
print("in the middle", flush=True)
threading.Event().wait()
"""
    process = python(code, path)
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert [windows.hit(KEY, 2, 60) for _ in range(2)] == [True, False]


def test_a_process_stopped_in_the_middle_of_a_hit_holds_nobody_up(path, monkeypatch, log_lines):
    monkeypatch.setattr("finbert_api.storage.circuit.PAUSE_SECONDS", 0.05)
    windows = SharedWindows(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: windows.hit(KEY, 1, 60), range(50))) == {None}
    other.close()
    assert wait_for(lambda: windows.hit(KEY, 1, 60), "the windows to be tried again")
    assert windows.hit(KEY, 1, 60) is False
    assert [(line["level"], line["message"]) for line in log_lines()] == [
        ("WARNING", "rate limiter failed: answers go on without it"),
        ("INFO", "rate limiter works again"),
    ]


def test_a_file_without_room_holds_nobody_up(path):
    windows = SharedWindows(path)
    windows._connection.execute("PRAGMA max_page_count = 1")
    taken = [windows.hit(f"{KEY} {number}", 1, 60) for number in range(1000)]
    assert taken[0] is True
    assert taken[-1] is None
