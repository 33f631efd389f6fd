"""What the inputs of a graph's MatMuls look like over calibration texts: smoothing and rounding are fitted to it."""

from collections.abc import Iterator, Sequence

import numpy as np
import onnx
import onnxruntime
from onnx import helper

from finbert_api.domain.progress import Progress, silent

TokenIds = Sequence[int]


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
    """Name and values [tokens, channels] of each such activation, text after text."""
    names = list(weights_by_activation(model))
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    session = onnxruntime.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    for ids in progress(calibration, desc=desc):
        input_ids = np.array([ids], dtype=np.int64)
        feeds = {
            "input_ids": input_ids,
            "attention_mask": np.ones_like(input_ids),
            "token_type_ids": np.zeros_like(input_ids),
        }
        yield from ((name, values[0]) for name, values in zip(names, session.run(names, feeds), strict=True))
