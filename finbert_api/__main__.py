"""`python -m finbert_api` and the console script `finbert`: the command line."""

import signal
import sys

from finbert_api.cli.main import finbert


def main() -> None:
    """Runs the command line and exits with its status.

    A signal that asks it to end unwinds like Ctrl-C, so that nothing it started stays behind.
    """
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, _frame: sys.exit(128 + number))
    finbert(prog_name="finbert")


if __name__ == "__main__":
    main()
