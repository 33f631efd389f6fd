"""Financial-sentiment service around FinBERT: text in, label and scores out, every prediction kept."""

import os

# ONNX Runtime's builds report to their maker otherwise, from a thread of their own. It reads this when it is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
