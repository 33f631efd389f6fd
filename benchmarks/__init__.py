"""Measurements of the service: `python -m benchmarks NAME`, from the top of the checkout.

Each prints, as its last line on standard output, one JSON object with its figures, and keeps them with a picture under
benchmarks/results/, which git ignores. docs/performance.md tells what they say.
"""
