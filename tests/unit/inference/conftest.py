import shutil
from pathlib import Path

import pytest
from support import later

from finbert_api.inference import artifact
from finbert_api.settings import BUNDLED_MODEL


@pytest.fixture
def artifact_dir(tmp_path):
    """A copy of the bundled artifact that a test may spoil."""
    return shutil.copytree(BUNDLED_MODEL, tmp_path / "artifact")


@pytest.fixture
def busy(make_engine, session):
    """Makes an engine whose session is held in the run of a first text, of 3 tokens."""

    def make(**options):
        engine = make_engine(**options)
        first = engine.submit("rose", later())
        session.wait_for_run(1)
        return engine, first

    return make


@pytest.fixture
def all_settled(monkeypatch):
    """As if every file had been as it is for long."""
    monkeypatch.setattr(artifact, "TOLD_APART_SECONDS", -1)


@pytest.fixture
def bytes_read():
    """How much this process has read from files so far."""
    return lambda: int(Path("/proc/self/io").read_text(encoding="utf-8").split()[1])
