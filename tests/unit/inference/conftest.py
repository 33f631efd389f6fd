import shutil

import pytest
from support import later

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
