"""Python's collector of objects that none but each other hold, kept away from modules: among them there are none."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any


@contextmanager
def collector_off() -> Iterator[None]:
    """Within it nothing is collected; what there is at its end, the collector never looks at again.

    To look through modules, at the end of the process once more, takes a third of a command that does little else. The
    collector also writes to the objects it looks at, and so copies the pages that forked processes share.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def imported(name: str) -> Any:
    """A module, imported with the collector off."""
    with collector_off():
        return import_module(name)
