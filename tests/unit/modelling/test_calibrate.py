import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from finbert_api.modelling.calibrate import channel_peaks, second_moments, weights_by_activation

TABLE = np.array([[0, 0, 0], [1, -2, 0.5], [-4, 1, 0.25], [2, 0, 0]], dtype=np.float32)


@pytest.fixture
def lookup():
    """A graph that looks token ids up in TABLE and multiplies the rows with two weights."""
    tokens = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    nodes = [
        helper.make_node("NonZero", ["attention_mask"], ["axes"]),
        helper.make_node("Transpose", ["axes"], ["places"], perm=[1, 0]),
        helper.make_node("GatherND", ["input_ids", "places"], ["ids"]),
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("MatMul", ["rows", "first"], ["a"]),
        helper.make_node("MatMul", ["rows", "second"], ["b"]),
        helper.make_node("Transpose", ["b"], ["turned"], perm=[1, 0]),
        helper.make_node("MatMul", ["a", "turned"], ["no_weight"]),
        helper.make_node("Add", ["a", "b"], ["logits"]),
    ]
    constants = {"table": TABLE, "first": np.eye(3, dtype=np.float32), "second": np.eye(3, dtype=np.float32)}
    graph = helper.make_graph(
        nodes,
        "lookup",
        tokens,
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_only_activations_that_meet_a_constant_weight_count(lookup):
    assert weights_by_activation(lookup) == {"rows": ["first", "second"]}


def test_peaks_are_the_largest_magnitudes_over_all_texts(lookup):
    peaks = channel_peaks(lookup, [[1, 3], [2], *[[0]] * 100])
    assert peaks.keys() == {"rows"}
    assert peaks["rows"].tolist() == [4, 2, 0.5]


def test_moments_are_sums_over_all_tokens(lookup):
    moments = second_moments(lookup, [[1, 3], [2], *[[1]] * 100])
    tokens = TABLE[[1, 3, 2, *[1] * 100]]
    assert np.allclose(moments["rows"], tokens.T @ tokens)


def test_progress_is_shown_group_by_group(lookup):
    seen = []

    def progress(items, /, *, total=None, desc=None):
        for item in items:
            seen.append(desc)
            yield item

    channel_peaks(lookup, [[1]] * 100, progress)
    assert len(seen) > 1
    assert set(seen) == {"activation peaks"}
