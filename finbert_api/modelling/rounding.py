"""Weights to integers: to the nearest, or so that the rounding of one makes up for that of others."""

import numpy as np

# Share of the mean of the second moments' diagonal that is added to it, so that its inverse is stable.
DAMPING = 0.01
# Rows whose effect on the rows after them is gathered before it is applied; the result does not depend on it.
_BLOCK = 64


def nearest(values: np.ndarray, axis: int, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Integers up to ±limit as int8, and float32 scales with the reduced axis kept; their product is near `values`."""
    scale = _scale(values, axis, limit)
    return np.rint(values / scale).clip(-limit, limit).astype(np.int8), scale


def compensated(weight: np.ndarray, moments: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Integers and scales [1, outputs] of a weight [inputs, outputs], so that x @ weight changes least over given x.

    `moments` is the sum of x x^T. Row after row is rounded, and what that changed in the products is taken back as far
    as possible by the rows that are not yet rounded: GPTQ (Frantar et al., arXiv 2210.17323).
    """
    scale = _scale(weight, 0, limit)
    left = weight.astype(np.float64)
    inputs = len(left)
    # The tiny part is for an activation that never was anything but zero.
    damping = DAMPING * float(np.trace(moments)) / inputs + 1e-30
    inverse = np.linalg.inv(moments.astype(np.float64) + damping * np.eye(inputs))
    factor = np.linalg.cholesky(inverse).T
    integers = np.empty(weight.shape, dtype=np.int8)
    for start in range(0, inputs, _BLOCK):
        end = min(start + _BLOCK, inputs)
        errors = np.empty((end - start, left.shape[1]))
        for row in range(start, end):
            rounded = np.rint(left[row] / scale[0]).clip(-limit, limit)
            integers[row] = rounded
            errors[row - start] = (left[row] - rounded * scale[0]) / factor[row, row]
            left[row + 1 : end] -= np.outer(factor[row, row + 1 : end], errors[row - start])
        left[end:] -= factor[start:end, end:].T @ errors
    return integers, scale


def _scale(values: np.ndarray, axis: int, limit: int) -> np.ndarray:
    scale = (np.abs(values).max(axis=axis, keepdims=True) / limit).astype(np.float32)
    # Nothing but zeros, or what is as good as zero, needs some scale to be divided by.
    return np.where(scale >= np.finfo(np.float32).tiny, scale, np.float32(1))
