"""Where what takes long to make is kept for the next run of the tests, under a digest of all that it is made from."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder of this user. XDG_CACHE_HOME names another place, such as an empty one to make everything anew."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "finbert-api" / "tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
