"""Memory that the C library keeps."""

from contextlib import suppress
from ctypes import CDLL


def release_freed_memory() -> None:
    """Gives the system back what glibc keeps of freed memory for later use; other C libraries have no such call."""
    with suppress(OSError, AttributeError):
        CDLL(None).malloc_trim(0)
