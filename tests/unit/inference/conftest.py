import shutil

import pytest

from finbert_api.settings import BUNDLED_MODEL


@pytest.fixture
def artifact_dir(tmp_path):
    """A copy of the bundled artifact that a test may spoil."""
    return shutil.copytree(BUNDLED_MODEL, tmp_path / "artifact")
