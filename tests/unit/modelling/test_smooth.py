import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from finbert_api.inference.session import ModelSession
from finbert_api.modelling.calibrate import channel_peaks
from finbert_api.modelling.quantise import quantise_per_token
from finbert_api.modelling.smooth import smooth_activations

OUTLIER = 7
GROWTH = 60


@pytest.fixture(scope="module")
def with_outlier(graph):
    """The graph with one channel of each normalisation made much larger, and what reads it as much smaller."""
    model = onnx.ModelProto()
    model.CopyFrom(graph)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}

    def scale(name, factor):
        array = numpy_helper.to_array(tensors[name]).copy()
        array[OUTLIER] *= factor
        tensors[name].CopyFrom(numpy_helper.from_array(array, name))

    for node in model.graph.node:
        if node.output[0].endswith("/after_attention"):
            scale(node.input[1], GROWTH)
            scale(node.input[2], GROWTH)
        if node.op_type == "MatMul" and node.input[0].endswith("/after_attention"):
            scale(node.input[1], 1 / GROWTH)
    return model


def scores(model, token_ids, folder):
    path = folder / "model.onnx"
    onnx.save(model, path)
    session = ModelSession(path)
    logits = np.concatenate([session.run([ids]) for ids in token_ids])
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def test_in_fp32_nothing_changes(graph, token_ids, tmp_path):
    smoothed = smooth_activations(graph, channel_peaks(graph, token_ids[:5]))
    assert smoothed.SerializeToString() != graph.SerializeToString()
    difference = np.abs(scores(smoothed, token_ids, tmp_path) - scores(graph, token_ids, tmp_path))
    assert difference.max() < 1e-5


def test_int8_is_nearer_to_fp32_when_a_channel_is_an_outlier(with_outlier, token_ids, tmp_path):
    exact = scores(with_outlier, token_ids, tmp_path)
    smoothed = smooth_activations(with_outlier, channel_peaks(with_outlier, token_ids[:20]))
    # Of seven bits, which every processor multiplies without saturation.
    rough = scores(quantise_per_token(with_outlier, {}, 7), token_ids, tmp_path)
    smooth = scores(quantise_per_token(smoothed, {}, 7), token_ids, tmp_path)
    assert np.abs(smooth - exact).mean() < 0.5 * np.abs(rough - exact).mean()


def test_the_larger_the_peaks_of_a_channel_the_more_it_is_divided(graph, token_ids):
    peaks = channel_peaks(graph, token_ids[:2])
    name = next(name for name in peaks if name.endswith("/after_attention"))
    larger = peaks | {name: peaks[name] * np.where(np.arange(64) == OUTLIER, 100, 1)}
    factors = []
    for given in (peaks, larger):
        constants = smooth_activations(graph, given).graph.initializer
        factors.append(next(numpy_helper.to_array(c) for c in constants if c.name == f"{name}/smoothing"))
    change = factors[1] / factors[0]
    assert change[OUTLIER] < 0.2
    assert np.delete(change, OUTLIER) == pytest.approx(1)


def test_the_graph_it_was_made_of_stays_as_it_was(graph, token_ids):
    before = graph.SerializeToString(deterministic=True)
    smooth_activations(graph, channel_peaks(graph, token_ids[:2]))
    assert graph.SerializeToString(deterministic=True) == before


def test_the_small_operators_of_one_activation_are_shared(graph, checkpoint, token_ids):
    layers = checkpoint.model.config.num_hidden_layers
    smoothed = smooth_activations(graph, channel_peaks(graph, token_ids[:2]))
    kinds = [node.op_type for node in quantise_per_token(smoothed, {}).graph.node]
    assert kinds.count("QuantizeLinear") == 4 * layers + 1
