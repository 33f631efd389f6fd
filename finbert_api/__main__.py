"""`python -m finbert_api` and the console script `finbert`: the command line."""

from finbert_api.cli.main import finbert


def main() -> None:
    """Runs the command line and exits with its status."""
    finbert(prog_name="finbert")


if __name__ == "__main__":
    main()
