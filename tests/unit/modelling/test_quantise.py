import math

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from finbert_api.modelling.graph import TOKEN_IDS
from finbert_api.modelling.quantise import quantise_per_token


@pytest.fixture(scope="module")
def quantised(graph):
    return quantise_per_token(graph, {})


def constants(model):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def product(weight, rows, weight_bits=8, *, gelu=False, moments=None):
    """What the quantised form of `rows @ weight` computes, or of `gelu(rows) @ weight`."""
    source = "gelu" if gelu else "x"
    nodes = [helper.make_node("Gelu", ["x"], ["gelu"], domain="com.microsoft")] if gelu else []
    nodes.append(helper.make_node("MatMul", [source, "w"], ["y"]))
    small = helper.make_graph(
        nodes,
        "product",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, len(weight)]),
            helper.make_tensor_value_info(TOKEN_IDS, TensorProto.INT64, [None]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight, "w")],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = quantise_per_token(helper.make_model(small, opset_imports=opsets, ir_version=8), moments or {}, weight_bits)
    options = onnxruntime.SessionOptions()
    # Exact sums of 8-bit weights on processors without VNNI too.
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(["y"], {"x": rows, TOKEN_IDS: np.zeros(len(rows), dtype=np.int64)})[0]


def test_every_large_weight_is_stored_in_integers(graph, quantised):
    large = [array for array in constants(quantised).values() if array.size > 64 * 64 and array.shape[0] != 160]
    assert large
    assert {array.dtype for array in large} == {np.dtype(np.int8)}
    # Those that are left multiply two activations.
    products = [node for node in quantised.graph.node if node.op_type == "MatMul"]
    assert all(node.input[1].endswith("/value") for node in products)
    assert quantised.ByteSize() < 0.5 * graph.ByteSize()


def test_each_weight_is_the_nearest_integer_of_its_output_channel(graph, quantised):
    original, stored = constants(graph), constants(quantised)
    weights = [node.input[1] for node in graph.graph.node if node.op_type == "MatMul" and node.input[1] in original]
    assert len(weights) == 4 + 5
    for name in weights:
        step = np.abs(original[name]).max(axis=0) / 127
        error = np.abs(stored[f"{name}/int8"] * step - original[name])
        assert (error <= step / 2 * 1.001).all()
        assert (np.abs(stored[f"{name}/int8"]).max(axis=0) == 127).all()


def test_the_word_table_is_stored_by_row_and_the_small_tables_as_they_are(graph, quantised):
    original, stored = constants(graph), constants(quantised)
    words = "words"
    assert words not in stored
    step = stored[f"{words}/scale"]
    assert step.shape == (1100, 1)
    assert (np.abs(stored[f"{words}/int8"] * step - original[words]) <= step / 2 * 1.001).all()
    positions = "position_table"
    assert np.array_equal(stored[positions], original[positions])


def test_each_activation_is_quantised_once(quantised, checkpoint):
    layers = checkpoint.model.config.num_hidden_layers
    kinds = [node.op_type for node in quantised.graph.node]
    # Four products a layer, and in the last one the query apart.
    assert kinds.count("MatMulIntegerToFloat") == kinds.count("QuantizeLinear") == 4 * layers + 1
    # And zero points by row, for what is signed and for what comes after a GELU, by token and by text.
    zero_points = [node for node in quantised.graph.node if node.op_type == "Expand" and "zero_point" in node.input[0]]
    assert len(zero_points) == 4


def test_the_graph_it_was_made_of_stays_as_it_was(graph):
    before = graph.SerializeToString(deterministic=True)
    quantise_per_token(graph, {})
    assert graph.SerializeToString(deterministic=True) == before


def test_a_product_is_near_the_exact_one_whatever_the_size_of_its_row():
    rng = np.random.default_rng(2)
    weight = rng.normal(size=(64, 8)).astype(np.float32)
    sizes = np.array([1e-6, 1, 1e6], dtype=np.float32)[:, None]
    rows = (rng.normal(size=(3, 64)) * sizes).astype(np.float32)
    error = np.abs(product(weight, rows) - rows @ weight)
    assert (error <= 0.2 * sizes).all()


def test_a_row_of_zeros_gives_zeros():
    weight = np.ones((16, 4), dtype=np.float32)
    zeros = np.zeros((2, 16), dtype=np.float32)
    assert not product(weight, zeros).any()


def test_a_channel_of_zeros_gives_zeros():
    weight = np.ones((16, 4), dtype=np.float32) * np.array([1, 0, 2, 3], dtype=np.float32)
    assert product(weight, np.ones((1, 16), dtype=np.float32))[0].tolist() == pytest.approx([16, 0, 32, 48])


def test_seven_bits_leave_room_for_two_products_in_16_bits(graph):
    stored = constants(quantise_per_token(graph, {}, 7))
    integers = [array for name, array in stored.items() if name.endswith("weight/int8")]
    assert len(integers) == 9
    assert {int(np.abs(array).max()) for array in integers} == {63}
    assert 2 * 255 * 63 < 2**15


def test_fewer_bits_are_coarser():
    rng = np.random.default_rng(3)
    weight, rows = rng.normal(size=(256, 64)).astype(np.float32), rng.normal(size=(50, 256)).astype(np.float32)
    eight, seven = (np.abs(product(weight, rows, bits) - rows @ weight).mean() for bits in (8, 7))
    assert eight < seven


def gelu(rows):
    return rows * (1 + np.vectorize(math.erf)(rows / math.sqrt(2))) / 2


def test_after_a_gelu_most_levels_go_to_what_it_gives():
    rng = np.random.default_rng(5)
    weight, rows = rng.normal(size=(256, 64)).astype(np.float32), rng.normal(size=(50, 256)).astype(np.float32)
    exact = gelu(rows) @ weight
    unsigned = np.abs(product(weight, rows, gelu=True) - exact).mean()
    signed = np.abs(product(weight, gelu(rows).astype(np.float32)) - exact).mean()
    assert unsigned < 0.75 * signed


@pytest.mark.parametrize("value", [-20.0, -0.7518, 0.0, 0.1, 0.5, 40.0])
def test_after_a_gelu_nothing_is_cut_off_however_small_or_large_a_row_is(value):
    rows = np.array([[-0.7518, value, 0.0, value]], dtype=np.float32)
    largest_error = max(0.17 / 24, gelu(value) / 231) / 2
    for column in range(4):
        weight = np.eye(4, dtype=np.float32)[:, [column]]
        assert product(weight, rows, gelu=True)[0, 0] == pytest.approx(gelu(rows[0, column]), abs=1.01 * largest_error)


def test_moments_of_an_activation_fit_the_weights_that_read_it():
    rng = np.random.default_rng(6)
    weight = rng.normal(size=(128, 32)).astype(np.float32)
    rows = (rng.normal(size=(400, 4)) @ rng.normal(size=(4, 128))).astype(np.float32)
    nearest, fitted = (
        np.abs(product(weight, rows, 7, moments=moments) - rows @ weight).mean()
        for moments in ({}, {"x": rows.T @ rows})
    )
    assert fitted < 0.9 * nearest


@pytest.mark.parametrize("bits", [4, 6, 9])
def test_other_widths_are_refused(graph, bits):
    with pytest.raises(ValueError, match=f"must be 7 or 8, not {bits}"):
        quantise_per_token(graph, {}, bits)
