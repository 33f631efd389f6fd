"""Per-token int8: weights in 8 bits, activations quantised row by row, so that no text's scores depend on another's.

ONNX Runtime's own dynamic quantisation takes one scale for a whole tensor, all texts of a batch together; here each
token has a scale of its own. A MatMul with a constant weight [inputs, outputs] becomes

    scale  = max|x| over the last axis / 127                    one number for each token
    x_int  = round(x / scale) + 128                             uint8
    output = (x_int - 128) @ w_int * w_scale * scale            com.microsoft.MatMulIntegerToFloat, then Mul

where w_scale is the largest |weight| of each output channel over the largest integer. After a GELU, which is never
below -0.17, zero is 24 and 231 levels are above it, which is nearly twice as fine: scale = max(max x / 231, 0.17 / 24).
An embedding table becomes int8 with one scale for each row. The pooler and the classifier work on one token of each
text and stay in fp32.

A token whose activation is zero throughout gets the scale 0: whatever integers 0 / 0 gives, its product is zero.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper

from finbert_api.domain.progress import Progress, silent
from finbert_api.modelling.graph import FIRST_TOKENS, MICROSOFT, TOKEN_IDS, GraphWriter
from finbert_api.modelling.rounding import compensated, nearest

# GELU's minimum is -0.16997, at -0.7518.
GELU_MINIMUM = -0.17
# So many levels below zero that a token whose peak is 1.64 or more loses none of those above it; most have larger ones.
# 16 levels measured worse on a trained model, and 255 levels over x + 0.17, which takes a pass more, no better.
GELU_ZERO_POINT = 24
# Position and token-type tables are small and read at every token, so that only the word table is worth 8 bits.
SMALLEST_QUANTISED_TABLE = 1024
TABLE_LIMIT = 127


class _Scheme(NamedTuple):
    """How an activation becomes uint8: the integer of zero, the integers from there to the peak, the least scale.

    The least scale is what the values below zero need where the peak does not need more.
    """

    zero_point: int
    levels: int
    least_scale: float


_SIGNED = _Scheme(zero_point=128, levels=127, least_scale=0)
_AFTER_GELU = _Scheme(GELU_ZERO_POINT, 255 - GELU_ZERO_POINT, -GELU_MINIMUM / GELU_ZERO_POINT)


class _Activation(NamedTuple):
    """A quantised activation: the names of its integers and of its scales [rows, 1], and its scheme."""

    integers: str
    scale: str
    scheme: _Scheme


def quantise_per_token(
    model: onnx.ModelProto,
    moments: Mapping[str, np.ndarray],
    weight_bits: int = 8,
    progress: Progress = silent,
) -> onnx.ModelProto:
    """A copy of a `bert_graph` with its MatMul weights and its word embedding in integers.

    `moments` are the graph's second moments: weights that read an activation which is in them are rounded to fit it,
    others to the nearest. `weight_bits` is 8, or 7 for processors without VNNI, where the sum of two products of uint8
    and 8-bit weights can saturate in 16 bits; embedding rows are only looked up and always take 8. Raises ValueError
    for other widths.
    """
    if weight_bits not in (7, 8):
        raise ValueError(f"weight_bits must be 7 or 8, not {weight_bits}")
    return _PerTokenQuantiser(model, moments, weight_limit=2 ** (weight_bits - 1) - 1).run(progress)


class _PerTokenQuantiser(GraphWriter):
    """Copies a graph node by node; the nodes and constants that take a replaced node's place are added on the way."""

    def __init__(self, model: onnx.ModelProto, moments: Mapping[str, np.ndarray], weight_limit: int) -> None:
        super().__init__()
        self._source = model
        self._moments = moments
        self._weight_limit = weight_limit
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._gelus = {output for node in model.graph.node if node.op_type == "Gelu" for output in node.output}
        # What is computed from a text's first token alone has a row for each text, the rest one for each token.
        self._by_text = {FIRST_TOKENS}
        self._activations: dict[str, _Activation] = {}

    def run(self, progress: Progress) -> onnx.ModelProto:
        """The quantised copy."""
        for node in progress(self._source.graph.node, desc="rounding weights"):
            if self._by_text.intersection(node.input):
                self._by_text.update(node.output)
            if node.op_type == "MatMul" and node.input[1] in self.constants:
                self._replace_matmul(node)
            elif node.op_type == "Gather" and self._is_large_table(node.input[0]):
                self._replace_embedding(node)
            else:
                self.nodes.append(node)
        used = {name for node in self.nodes for name in node.input}
        constants = [tensor for name, tensor in self.constants.items() if name in used]
        quantised = onnx.ModelProto()
        quantised.CopyFrom(self._source)
        source = self._source.graph
        quantised.graph.CopyFrom(helper.make_graph(self.nodes, source.name, source.input, source.output, constants))
        return quantised

    def _replace_matmul(self, node: onnx.NodeProto) -> None:
        source, weight_name = node.input
        output = node.output[0]
        weight = numpy_helper.to_array(self.constants[weight_name])
        if source in self._moments:
            integers, scale = compensated(weight, self._moments[source], self._weight_limit)
        else:
            integers, scale = nearest(weight, axis=0, limit=self._weight_limit)
        activation = self._quantised(source)
        scheme = activation.scheme
        inputs = [
            activation.integers,
            self.constant(f"{weight_name}/int8", integers),
            self.constant("int8/one", 1, np.float32),
            self.constant(f"{weight_name}/scale", scale[0]),
            self.constant(f"int8/zero_point/{scheme.zero_point}", scheme.zero_point, np.uint8),
        ]
        product = self.add("MatMulIntegerToFloat", inputs, f"{output}/product", MICROSOFT)
        self.add("Mul", [product, activation.scale], output)

    def _quantised(self, name: str) -> _Activation:
        """The activation in integers, made once for all MatMuls that read it."""
        if name not in self._activations:
            scheme = _AFTER_GELU if name in self._gelus else _SIGNED
            # Below zero a GELU is never larger than its least scale allows for.
            size = name if scheme.least_scale else self.add("Abs", [name], f"{name}/abs")
            peak = self.add("ReduceMax", [size], f"{name}/peak", axes=[-1], keepdims=0)
            level = self.constant(f"int8/level/{scheme.levels}", 1 / scheme.levels, np.float32)
            scale = self.add("Mul", [peak, level], f"{name}/scale")
            if scheme.least_scale:
                least = self.constant("int8/least_scale", scheme.least_scale, np.float32)
                scale = self.add("Max", [scale, least], f"{name}/scale_or_least")
            # By row, which takes one pass less than a division by the scales before it.
            zero_points = self._zero_points(scheme.zero_point, FIRST_TOKENS if name in self._by_text else TOKEN_IDS)
            integers = self.add("QuantizeLinear", [name, scale, zero_points], f"{name}/uint8", axis=0)
            column = self.constant("int8/column", [-1, 1], np.int64)
            column_of_scales = self.add("Reshape", [scale, column], f"{name}/scales")
            self._activations[name] = _Activation(integers, column_of_scales, scheme)
        return self._activations[name]

    def _zero_points(self, value: int, rows: str) -> str:
        """The zero point once for each row, as a QuantizeLinear by row wants it; made once for all that need it."""
        name = f"int8/zero_points/{value}/{rows}"
        if not any(name in node.output for node in self.nodes):
            scalar = self.constant(f"int8/zero_point/{value}", value, np.uint8)
            self.add("Expand", [scalar, self.add("Shape", [rows], f"{name}/shape")], name)
        return name

    def _is_large_table(self, name: str) -> bool:
        return name in self.constants and self.constants[name].dims[0] >= SMALLEST_QUANTISED_TABLE

    def _replace_embedding(self, node: onnx.NodeProto) -> None:
        table, indices = node.input
        output = node.output[0]
        integers, scale = nearest(numpy_helper.to_array(self.constants[table]), axis=1, limit=TABLE_LIMIT)
        rows = self.add("Gather", [self.constant(f"{table}/int8", integers), indices], f"{output}/int8")
        scales = self.add("Gather", [self.constant(f"{table}/scale", scale), indices], f"{output}/scale")
        values = self.add("Cast", [rows], f"{output}/float", to=onnx.TensorProto.FLOAT)
        self.add("Mul", [values, scales], output)
