"""Takes the outlier channels out of the activations before int8, after SmoothQuant (Xiao et al., arXiv 2211.10438).

A few channels of a BERT's layer-normalised activations are many times larger than the rest, so that one scale for a
whole token leaves the others few integers. Here channel k of the activation is divided by s_k and row k of each weight
that reads it multiplied by s_k, which changes nothing in fp32, with

    s_k = peak_k ** STRENGTH / max|weight row k| ** (1 - STRENGTH)

and peak_k the largest |activation| of the channel over calibration texts. Only layer normalisations are treated: the
inputs of the other MatMuls (attention, GELU) measured no better with it.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

from finbert_api.modelling.calibrate import weights_by_activation

STRENGTH = 0.7
_SMALLEST = 1e-6


def smooth_activations(model: onnx.ModelProto, peaks: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """A copy of an fp32 graph that computes the same with smaller outliers; `peaks` are its channel peaks."""
    smoothed = onnx.ModelProto()
    smoothed.CopyFrom(model)
    graph = smoothed.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    normalised = set()
    for node in graph.node:
        # Rows picked out of a normalisation are normalised too.
        if node.op_type == "LayerNormalization" or (node.op_type == "Gather" and node.input[0] in normalised):
            normalised.update(node.output)
    divided: dict[str, str] = {}
    for name, readers in weights_by_activation(model).items():
        if name not in normalised:
            continue
        weights = [numpy_helper.to_array(tensors[reader]) for reader in readers]
        rows = np.max([np.abs(weight).max(axis=1) for weight in weights], axis=0)
        scale = peaks[name].clip(_SMALLEST) ** STRENGTH / rows.clip(_SMALLEST) ** (1 - STRENGTH)
        for reader, weight in zip(readers, weights, strict=True):
            tensors[reader].CopyFrom(numpy_helper.from_array((weight * scale[:, None]).astype(np.float32), reader))
        graph.initializer.append(numpy_helper.from_array((1 / scale).astype(np.float32), f"{name}/smoothing"))
        divided[name] = f"{name}/smoothed"

    nodes = list(graph.node)
    del graph.node[:]
    for node in nodes:
        if node.op_type == "MatMul" and node.input[0] in divided:
            node.input[0] = divided[node.input[0]]
        graph.node.append(node)
        for name in set(node.output) & divided.keys():
            graph.node.append(helper.make_node("Mul", [name, f"{name}/smoothing"], [divided[name]], name=divided[name]))
    return smoothed
