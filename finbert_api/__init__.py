"""Financial-sentiment service around FinBERT: text in, label and scores out, every prediction kept."""

__version__ = "0.1.0"
