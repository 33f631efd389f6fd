"""`python -m finbert_api` and the console script `finbert`: the command line."""

import os
import signal
import sys

# glibc keeps freed memory for each thread, and gives no other thread anything of it: under five times the load the
# service grew by 1.7 MB a minute with these caches and by 0.2 without, and was as fast. What a process is started with
# decides, so the image says the same.
TUNABLES, WITHOUT_THREAD_CACHES = "GLIBC_TUNABLES", "glibc.malloc.tcache_count=0"


def main() -> None:
    """Runs the command line and exits with its status.

    A signal that asks it to end unwinds like Ctrl-C, so that nothing it started stays behind.
    """
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, _frame: sys.exit(128 + number))
    if sys.argv[1:2] == ["run"] and TUNABLES not in os.environ:
        # Now, when nothing is imported yet that would be imported twice.
        os.execve(sys.executable, sys.orig_argv, os.environ | {TUNABLES: WITHOUT_THREAD_CACHES})  # noqa: S606 - ourselves
    from finbert_api.cli.main import finbert  # noqa: PLC0415 - only now, as said above

    finbert(prog_name="finbert")


if __name__ == "__main__":
    main()
