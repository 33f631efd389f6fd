import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finbert_api.inference.session import ModelSession, padded
from finbert_api.inference.tokenizer import TextTokenizer
from finbert_api.modelling.calibrate import channel_peaks, second_moments
from finbert_api.modelling.export_tokenizer import export_tokenizer
from finbert_api.modelling.parity import compare
from finbert_api.modelling.quantise import quantise_per_token
from finbert_api.modelling.scoring import onnx_scores
from finbert_api.modelling.smooth import smooth_activations

TEXTS = ("sales rose", "sales fell", "the company said that net sales grew to 9.5 million euros", "no news", "中国 🚀")
MAX_TOKENS = 160


@pytest.fixture(scope="module")
def graphs(graph, token_ids):
    """The graph in each precision that is published."""
    smoothed = smooth_activations(graph, channel_peaks(graph, token_ids))
    moments = second_moments(smoothed, token_ids)
    return {"fp32": graph, "int8": quantise_per_token(smoothed, moments), "7 bits": quantise_per_token(graph, {}, 7)}


@pytest.fixture(scope="module", params=["fp32", "int8", "7 bits"])
def session(graphs, request, tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / "model.onnx"
    onnx.save(graphs[request.param], path)
    return ModelSession(path, intra_op_threads=2)


def text_of(length, seed=1):
    """Token ids of a text of that many tokens."""
    return [2, *np.random.default_rng(seed).integers(5, 200, length - 2).tolist(), 3]


def test_the_graph_scores_as_pytorch_does(checkpoint, graph, tmp_path):
    export_tokenizer(checkpoint, tmp_path / "tokenizer.json", TEXTS)
    tokenizer = TextTokenizer(tmp_path / "tokenizer.json", checkpoint.max_tokens)
    onnx.save(graph, tmp_path / "model.onnx")
    texts = [*TEXTS, "the annual general meeting " * 200]
    scores = onnx_scores(tmp_path / "model.onnx", tokenizer, texts)
    parity = compare("fp32", scores, checkpoint.scores(texts))
    assert parity.max_difference < 1e-5
    # The scores depend on the text, or the line above would say nothing.
    assert scores.std(axis=0).max() > 0.2


def test_every_length_scores_alone_as_among_all_others(session):
    texts = [text_of(length, seed=length) for length in range(2, MAX_TOKENS + 1)]
    together = session.run(texts)
    for row, ids in enumerate(texts):
        assert session.run([ids]).tobytes() == together[row].tobytes(), f"{len(ids)} tokens"


@settings(max_examples=25)
@given(lengths=st.lists(st.integers(2, MAX_TOKENS), min_size=2, max_size=12), seed=st.integers(0, 2**32 - 1))
def test_scores_do_not_depend_on_batch_neighbours(session, lengths, seed):
    batch = [text_of(length, seed + row) for row, length in enumerate(lengths)]
    together = session.run(batch)
    for row, ids in enumerate(batch):
        assert session.run([ids]).tobytes() == together[row].tobytes()


def test_scores_do_not_depend_on_how_far_a_text_is_padded(graphs):
    for model in graphs.values():
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        feeds = padded([text_of(15)])
        expected = session.run(None, feeds)[0]
        for more in (1, 2, 17, 100):
            wider = {name: np.pad(array, ((0, 0), (0, more)), constant_values=0) for name, array in feeds.items()}
            assert session.run(None, wider)[0].tobytes() == expected.tobytes()
            # Nor on what stands in the padding.
            wider["input_ids"][:, 15:] = 77
            assert session.run(None, wider)[0].tobytes() == expected.tobytes()


def values_of(graph, names, texts):
    """What values inside a graph are for a batch of texts."""
    watched = onnx.ModelProto()
    watched.CopyFrom(graph)
    watched.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names
    )
    session = onnxruntime.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(names, padded(texts))


def test_a_batch_costs_its_tokens_and_not_its_padding(graph):
    """The rows that the products see are the tokens of the texts, in the last layer the texts."""
    names = ["0/qkv", "0/output", "1/kv", "1/first_query", "1/intermediate", "1/output"]
    results = values_of(graph, names, [text_of(50), text_of(7), text_of(3)])
    assert [len(result) for result in results] == [60, 60, 60, 3, 3, 3]


@pytest.mark.parametrize(
    ("lengths", "first", "second"),
    [
        ((5, 6, 7, 14, 20, 33), (4, 16), (2, 48)),  # 4 x 16^2 + 2 x 48^2 are fewer than 5 x 32^2 + 48^2, or any other
        ((5, 20, 30, 33), (3, 32), (1, 48)),
        ((20, 20, 20, 20), (2, 32), (2, 32)),
        ((33, 7, 2), (3, 48), (0, 16)),  # out of order
        ((17,), (1, 32), (0, 16)),
    ],
)
def test_attention_takes_a_batch_in_the_two_groups_that_pad_the_least(graph, lengths, first, second):
    names = ["first_group/0/attention", "second_group/0/attention"]
    results = values_of(graph, names, [text_of(length) for length in lengths])
    assert [(len(result), *result.shape[2:]) for result in results] == [
        (texts, slots, slots) for texts, slots in (first, second)
    ]


def test_all_layers_are_there(graph, checkpoint):
    layers = checkpoint.model.config.num_hidden_layers
    kinds = [node.op_type for node in graph.graph.node]
    assert kinds.count("Gelu") == layers
    assert kinds.count("Softmax") == 2 * layers
    assert kinds.count("LayerNormalization") == 2 * layers + 1
