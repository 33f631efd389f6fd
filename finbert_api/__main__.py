"""`python -m finbert_api` and the console script `finbert`: the command line."""

import os
import signal
import sys
from types import FrameType

# glibc keeps freed memory for each thread, and gives no other thread anything of it: under five times the load the
# service grew by 1.7 MB a minute with these caches and by 0.2 without, and was as fast. What a process is started with
# decides, so the image says the same.
TUNABLES, WITHOUT_THREAD_CACHES = "GLIBC_TUNABLES", "glibc.malloc.tcache_count=0"


def main() -> None:
    """Runs the command line and exits with its status.

    A signal that asks it to end unwinds like Ctrl-C, so that nothing it started stays behind.
    """
    received: list[int] = []

    def unwind(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) != signal.SIG_IGN:
            signal.signal(ending, unwind)
    if sys.argv[1:2] == ["run"] and TUNABLES not in os.environ:
        # Now, when nothing is imported yet that would be imported twice.
        os.execve(sys.executable, sys.orig_argv, os.environ | {TUNABLES: WITHOUT_THREAD_CACHES})  # noqa: S606 - ourselves
    from finbert_api.cli.main import finbert  # noqa: PLC0415 - only now, as said above

    try:
        finbert(prog_name="finbert")
    except ImportError:
        # Which some extension modules make of anything that is raised while they are imported.
        if not received:
            raise
        sys.exit(128 + received[0])


if __name__ == "__main__":
    main()
