"""What the inputs of a graph's MatMuls look like over calibration texts: smoothing and rounding are fitted to it."""

from collections.abc import Iterator, Sequence

import numpy as np
import onnx
import onnxruntime
from onnx import helper

from finbert_api.domain.progress import Progress, silent
from finbert_api.inference.session import padded

TokenIds = Sequence[int]

# Texts whose tokens are taken together: the moments of a wide activation are large, and adding to them is what costs.
_GROUP = 25


def channel_peaks(
    model: onnx.ModelProto, calibration: Sequence[TokenIds], progress: Progress = silent
) -> dict[str, np.ndarray]:
    """For each activation that meets a constant weight the largest magnitude in each of its channels."""
    peaks: dict[str, np.ndarray] = {}
    for name, tokens in _activations(model, calibration, progress, "activation peaks"):
        peak = np.abs(tokens).max(axis=0)
        peaks[name] = np.maximum(peaks.get(name, peak), peak)
    return peaks


def second_moments(
    model: onnx.ModelProto, calibration: Sequence[TokenIds], progress: Progress = silent
) -> dict[str, np.ndarray]:
    """For each activation that meets a constant weight the sum over tokens of x x^T, [channels, channels]."""
    moments: dict[str, np.ndarray] = {}
    for name, tokens in _activations(model, calibration, progress, "activation moments"):
        moments[name] = moments.get(name, 0) + tokens.T @ tokens
    return moments


def weights_by_activation(model: onnx.ModelProto) -> dict[str, list[str]]:
    """For each activation that meets a constant weight in a MatMul the names of those weights."""
    constants = {tensor.name for tensor in model.graph.initializer}
    weights: dict[str, list[str]] = {}
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1] in constants:
            weights.setdefault(node.input[0], []).append(node.input[1])
    return weights


def _activations(
    model: onnx.ModelProto, calibration: Sequence[TokenIds], progress: Progress, desc: str
) -> Iterator[tuple[str, np.ndarray]]:
    """Name and values [tokens, channels] of each such activation, group of texts after group."""
    names = list(weights_by_activation(model))
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    session = onnxruntime.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    groups = [calibration[start : start + _GROUP] for start in range(0, len(calibration), _GROUP)]
    for group in progress(groups, desc=desc):
        runs = [session.run(names, padded([ids])) for ids in group]
        yield from ((name, np.concatenate([run[i] for run in runs])) for i, name in enumerate(names))
