"""Per-token int8: weights in 8 bits, activations quantised row by row, so that no text's scores depend on another's.

ONNX Runtime's own dynamic quantisation takes one scale for a whole tensor, all texts of a batch together; here each
token has a scale of its own. A MatMul with a constant weight [inputs, outputs] becomes

    peak   = max|x| over the last axis                          one number for each token
    x_int  = round(x * 127 / peak) + 128                        uint8
    output = (x_int - 128) @ w_int * (w_scale / 127) * peak     com.microsoft.MatMulIntegerToFloat, then Mul

where w_scale is the largest |weight| of each output channel over the largest integer. After a GELU, which is never
below -0.17, all 255 levels go to x + 0.17, and 0.17 times the sum of the channel's weights is taken off again: twice
as fine. An embedding table becomes int8 with one scale for each row. The pooler and the classifier work on one token
of each text and stay in fp32.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper

from finbert_api.domain.progress import Progress, silent
from finbert_api.modelling.rounding import compensated, nearest

# GELU's minimum is -0.16997, at -0.7518.
GELU_SHIFT = 0.17
# Keeps an all-zero row from dividing by zero; every activation of a real row is larger by many orders of magnitude.
SMALLEST_PEAK = 1e-12
# Position and token-type tables are small and read at every token, so that only the word table is worth 8 bits.
SMALLEST_QUANTISED_TABLE = 1024
TABLE_LIMIT = 127


class _Scheme(NamedTuple):
    """How an activation becomes uint8: added first, integer of zero, integers from there to the peak."""

    shift: float
    zero_point: int
    levels: int


_SIGNED = _Scheme(shift=0, zero_point=128, levels=127)
_AFTER_GELU = _Scheme(shift=GELU_SHIFT, zero_point=0, levels=255)


class _Activation(NamedTuple):
    """A quantised activation: the names of its integers and of its peaks, and its scheme."""

    integers: str
    peak: str
    scheme: _Scheme


def quantise_per_token(
    model: onnx.ModelProto,
    moments: Mapping[str, np.ndarray],
    weight_bits: int = 8,
    progress: Progress = silent,
) -> onnx.ModelProto:
    """A copy of a fused fp32 graph with its MatMul weights and its word embedding in integers.

    `moments` are the graph's second moments: weights that read an activation which is in them are rounded to fit it,
    others to the nearest. `weight_bits` is 8, or 7 for processors without VNNI, where the sum of two products of uint8
    and 8-bit weights can saturate in 16 bits; embedding rows are only looked up and always take 8. Raises ValueError
    for other widths.
    """
    if weight_bits not in (7, 8):
        raise ValueError(f"weight_bits must be 7 or 8, not {weight_bits}")
    return _PerTokenQuantiser(model, moments, weight_limit=2 ** (weight_bits - 1) - 1).run(progress)


class _PerTokenQuantiser:
    """Copies a graph node by node; the constants and nodes that take a replaced node's place are collected here."""

    def __init__(self, model: onnx.ModelProto, moments: Mapping[str, np.ndarray], weight_limit: int) -> None:
        self._source = model
        self._moments = moments
        self._weight_limit = weight_limit
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._gelus = {output for node in model.graph.node if node.op_type == "BiasGelu" for output in node.output}
        self._added: dict[str, onnx.TensorProto] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._activations: dict[str, _Activation] = {}

    def run(self, progress: Progress) -> onnx.ModelProto:
        """The quantised copy."""
        for node in progress(self._source.graph.node, desc="rounding weights"):
            if node.op_type == "MatMul" and node.input[1] in self._constants:
                self._replace_matmul(node)
            elif node.op_type == "Gather" and self._is_large_table(node.input[0]):
                self._replace_embedding(node)
            else:
                self._nodes.append(node)
        used = {name for node in self._nodes for name in node.input}
        constants = [tensor for name, tensor in (self._constants | self._added).items() if name in used]
        source = self._source.graph
        graph = helper.make_graph(self._nodes, source.name, source.input, source.output, constants)
        return helper.make_model(graph, opset_imports=self._source.opset_import, ir_version=self._source.ir_version)

    def _replace_matmul(self, node: onnx.NodeProto) -> None:
        source, weight_name = node.input
        output = node.output[0]
        weight = numpy_helper.to_array(self._constants[weight_name])
        if source in self._moments:
            integers, scale = compensated(weight, self._moments[source], self._weight_limit)
        else:
            integers, scale = nearest(weight, axis=0, limit=self._weight_limit)
        activation = self._quantised(source)
        scheme = activation.scheme
        inputs = [
            activation.integers,
            self._constant(f"{weight_name}/int8", integers),
            self._constant("int8/one", np.float32(1)),
            self._constant(f"{weight_name}/scale", scale[0] / np.float32(scheme.levels)),
            self._constant(f"int8/zero_point/{scheme.zero_point}", np.uint8(scheme.zero_point)),
        ]
        product = self._add("MatMulIntegerToFloat", inputs, f"{output}/product", domain="com.microsoft")
        if not scheme.shift:
            self._add("Mul", [product, activation.peak], output)
            return
        shifted = self._add("Mul", [product, activation.peak], f"{output}/shifted")
        excess = scheme.shift * (integers * scale).sum(axis=0, dtype=np.float64)
        self._add("Sub", [shifted, self._constant(f"{weight_name}/excess", excess.astype(np.float32))], output)

    def _quantised(self, name: str) -> _Activation:
        """The activation in integers, made once for all MatMuls that read it (Q, K and V)."""
        if name not in self._activations:
            scheme = _AFTER_GELU if name in self._gelus else _SIGNED
            if scheme.shift:
                shift = self._constant("int8/gelu_shift", np.float32(scheme.shift))
                values = size = self._add("Add", [name, shift], f"{name}/positive")
            else:
                values, size = name, self._add("Abs", [name], f"{name}/abs")
            largest = self._add("ReduceMax", [size], f"{name}/max", axes=[-1], keepdims=1)
            smallest = self._constant("int8/smallest_peak", np.float32(SMALLEST_PEAK))
            peak = self._add("Max", [largest, smallest], f"{name}/peak")
            levels = self._constant(f"int8/levels/{scheme.levels}", np.float32(scheme.levels))
            factor = self._add("Div", [levels, peak], f"{name}/factor")
            scaled = self._add("Mul", [values, factor], f"{name}/scaled")
            one = self._constant("int8/one", np.float32(1))
            zero_point = self._constant(f"int8/zero_point/{scheme.zero_point}", np.uint8(scheme.zero_point))
            integers = self._add("QuantizeLinear", [scaled, one, zero_point], f"{name}/uint8")
            self._activations[name] = _Activation(integers, peak, scheme)
        return self._activations[name]

    def _is_large_table(self, name: str) -> bool:
        return name in self._constants and self._constants[name].dims[0] >= SMALLEST_QUANTISED_TABLE

    def _replace_embedding(self, node: onnx.NodeProto) -> None:
        table, indices = node.input
        output = node.output[0]
        integers, scale = nearest(numpy_helper.to_array(self._constants[table]), axis=1, limit=TABLE_LIMIT)
        rows = self._add("Gather", [self._constant(f"{table}/int8", integers), indices], f"{output}/int8")
        scales = self._add("Gather", [self._constant(f"{table}/scale", scale), indices], f"{output}/scale")
        values = self._add("Cast", [rows], f"{output}/float", to=onnx.TensorProto.FLOAT)
        self._add("Mul", [values, scales], output)

    def _constant(self, name: str, value: np.ndarray | np.generic) -> str:
        """The name, under which the graph now holds the value."""
        self._added[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def _add(self, op_type: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """The name of the output of a node that the graph now has."""
        self._nodes.append(helper.make_node(op_type, inputs, [output], name=f"{op_type}:{output}", **attributes))
        return output
