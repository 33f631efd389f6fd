"""A BERT classifier as an ONNX graph that computes no more than its answer needs.

The graph takes a padded batch, `input_ids` and `attention_mask` (int64, [texts, tokens]), and gives `logits` (float32,
[texts, labels]). Within it no padding is computed: the tokens of all texts stand in one list, [all tokens, hidden],
through every product, normalisation and GELU; attention alone sees them by text, in slots that are padded to a multiple
of SLOT_MULTIPLE. It takes the batch in two groups, each padded to its own longest, so that a batch in the order of
lengths has little padding there either. The products of query, key and value are one. The last layer is computed for
each text's first token alone ([CLS], which the classifier reads), but for the keys and values that it attends to.

Biases are folded where that changes nothing: a key's bias adds the same to every attention score of a query, and
softmax takes it off again; attention weights sum to 1, so a value's bias can be added after the attention's output
product; every text has token type 0, whose embedding is part of the positions'; the last bias of a layer is added in
the normalisation before its last two products, and what their first one makes of it is taken off the bias of that one.

A text's logits are the same to the last bit alone and in every batch: each token is a row of its own everywhere but in
attention, and there a sum over the keys runs over whole vectors of the processor, in which a masked slot adds an exact
zero. (Without SLOT_MULTIPLE texts of 15, 31, 47 tokens and so on differ in the last bit.)
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from finbert_api.inference.session import LOGITS_OUTPUT
from finbert_api.modelling.checkpoint import Checkpoint

OPSET = 17
IR_VERSION = 8
MICROSOFT = "com.microsoft"
# The float32 values of the widest vector register in use, AVX-512's.
SLOT_MULTIPLE = 16
# Added to the attention scores of empty slots: their exponentials are exact zeros.
MASKED = -1e9

# One for each token of the batch, and one for each text: what has as many rows as these is by token or by text.
TOKEN_IDS = "token_ids"  # noqa: S105 - the name of a value in the graph, no secret
FIRST_TOKENS = "first_tokens"

# The groups of a batch, and the values in the graph that say with which text each begins and before which it ends.
GROUPS = {"first_group": ("first", "split"), "second_group": ("split", "count")}


def bert_graph(checkpoint: Checkpoint) -> onnx.ModelProto:
    """The fp32 graph of a checkpoint."""
    weights = {name: tensor.numpy() for name, tensor in checkpoint.model.state_dict().items()}
    return _BertGraph(weights, checkpoint.model.config).build()


class GraphWriter:
    """Collects the nodes and constants of a graph; every method that adds one gives its name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: object, dtype: type | None = None) -> str:
        """A constant; the same name must mean the same value."""
        self.constants[name] = numpy_helper.from_array(np.asarray(value, dtype=dtype, order="C"), name)
        return name

    def add(self, op_type: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        """A node with one output."""
        node = helper.make_node(op_type, inputs, [output], f"{op_type}:{output}", domain=domain, **attributes)
        self.nodes.append(node)
        return output


class _BertGraph(GraphWriter):
    def __init__(self, weights: Mapping[str, np.ndarray], config: Any) -> None:
        super().__init__()
        self._weights = weights
        self._config = config
        self._hidden: int = config.hidden_size
        self._heads: int = config.num_attention_heads
        self._head_size = self._hidden // self._heads

    def build(self) -> onnx.ModelProto:
        self._index()
        tokens = self._embeddings()
        layers = self._config.num_hidden_layers
        for layer in range(layers - 1):
            tokens = self._layer(layer, tokens)
        self._classify(self._last_layer(layers - 1, tokens))
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"])
            for name in ("input_ids", "attention_mask")
        ]
        outputs = [helper.make_tensor_value_info(LOGITS_OUTPUT, TensorProto.FLOAT, ["texts", "labels"])]
        graph = helper.make_graph(self.nodes, "bert", inputs, outputs, list(self.constants.values()))
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="finbert-api")

    def _index(self) -> None:
        """Where each token stands: `token_ids` and `positions` by token, `slots` (its row in that list) by text."""
        zero, one = self._integer("zero", 0), self._integer("one", 1)
        columns = self.add("Gather", [self.add("Shape", ["attention_mask"], "shape"), one], "columns", axis=0)
        more = self._up_to_multiple(columns, "columns")
        pads = self.add("Concat", [self._integer("no_pads", [0, 0, 0]), more], "pads", axis=0)
        mask = self.add("Pad", ["attention_mask", pads], "mask")

        places = self.add("NonZero", [mask], "places")
        self.add("Gather", [places, one], "positions", axis=0)
        texts = self.add("Gather", [places, zero], "texts", axis=0)
        self.add("GatherND", ["input_ids", self.add("Transpose", [places], "places_by_token", perm=[1, 0])], TOKEN_IDS)

        # A text's tokens follow each other in the list; an empty slot points at the last of them and is masked.
        flat = self.add("Reshape", [mask, self._integer("one_axis", [-1])], "flat_mask")
        count = self.add("CumSum", [flat, zero], "tokens_up_to")
        slots = self.add("Sub", [count, one], "flat_slots")
        slots = self.add("Reshape", [slots, self.add("Shape", [mask], "slots_shape")], "slots")
        self.add("Gather", [slots, zero], FIRST_TOKENS, axis=1)
        real = self.add("Cast", [mask], "mask_float", to=TensorProto.FLOAT)
        empty = self.add("Sub", [self.constant("one_float", 1, np.float32), real], "empty")
        masked = self.add("Mul", [empty, self.constant("masked", MASKED, np.float32)], "masked_scores")
        self._group(mask)
        for group in GROUPS:
            bounds = [f"{group}/starts", f"{group}/ends"]
            self._slot_rows(group, self.add("Slice", [slots, *bounds], f"{group}/slots"))
            bias = self.add("Slice", [masked, *bounds], f"{group}/masked_scores")
            self.add("Unsqueeze", [bias, self._integer("head_and_query", [1, 2])], f"{group}/score_bias")
        self._attention_rows(texts)

    def _group(self, mask: str) -> None:
        """Where each group `starts` and `ends`, [text, slot], and `widths`: the slots of each text."""
        lengths = self.add("ReduceSum", [mask, self._integer("last_axis", [-1])], "lengths", keepdims=0)
        own_widths = self.add("Add", [lengths, self._up_to_multiple(lengths, "lengths")], "own_widths")
        self._split(own_widths)
        zero = self._integer("first", [0])
        widths = []
        for group, (start, end) in GROUPS.items():
            own = self.add("Slice", [own_widths, start, end], f"{group}/own_widths")
            # The second group of a single text holds none, of which there is no widest.
            own = self.add("Concat", [own, "slot_multiple"], f"{group}/own_widths_or_least", axis=0)
            width = self.add("ReduceMax", [own], f"{group}/width", axes=[0], keepdims=1)
            self.add("Concat", [start, zero], f"{group}/starts", axis=0)
            self.add("Concat", [end, width], f"{group}/ends", axis=0)
            texts = self.add("Sub", [end, start], f"{group}/count")
            widths.append(self.add("Expand", [width, texts], f"{group}/widths"))
        self.add("Concat", widths, "widths", axis=0)

    def _split(self, own_widths: str) -> None:
        """`split`: how many texts are in the first group, given the slots that each would take by itself.

        So many that the fewest scores of attention are computed, if the texts come in the order of their lengths: the
        first k take k x width(k)^2, the others (n - k) x width(n)^2. Where that is the same, as many in each.
        """
        count = self.add("Shape", [own_widths], "count")
        width = self.add("Cast", [own_widths], "width_float", to=TensorProto.FLOAT)
        scores = self.add("Mul", [width, width], "scores_by_text")
        saved = self.add("Sub", [scores, self.add("ReduceMax", [scores], "most_scores", keepdims=1)], "saved_by_text")
        ones = self.add("Expand", [self.constant("one_float", 1, np.float32), count], "ones")
        firsts = self.add("CumSum", [ones, "zero"], "firsts")
        others = self.add("Sub", [self.add("Cast", [count], "count_float", to=TensorProto.FLOAT), firsts], "others")
        uneven = self.add("Abs", [self.add("Sub", [firsts, others], "firsts_less_others")], "uneven")
        cost = self.add("Add", [self.add("Mul", [firsts, saved], "saved"), uneven], "cost")
        best = self.add("ArgMin", [cost], "best", axis=0, keepdims=1)
        self.add("Add", [best, "one"], "split")

    def _up_to_multiple(self, count: str, name: str) -> str:
        """How many slots more make their number a multiple."""
        negative = self.add("Neg", [count], f"{name}/negative")
        return self.add("Mod", [negative, self._integer("slot_multiple", [SLOT_MULTIPLE])], f"{name}/more")

    def _slot_rows(self, group: str, slots: str) -> None:
        """`rows/P/N`: for each text, head and slot the row of part P of N in the parts' product, cut into heads."""
        by_head = self.add("Unsqueeze", [slots, self._integer("head_axis", [1])], f"{group}/slots_by_head")
        heads = np.arange(self._heads).reshape(1, self._heads, 1)
        for parts in (3, 2):
            count = self._integer(f"heads/{parts}", parts * self._heads)
            first = self.add("Mul", [by_head, count], f"{group}/rows/{parts}")
            for part in range(parts):
                offset = self._integer(f"head_offsets/{part}", part * self._heads + heads)
                self.add("Add", [first, offset], f"{group}/rows/{part}/{parts}")

    def _attention_rows(self, texts: str) -> None:
        """`attended_rows`: for each token and head its row in what the attention of both groups gives."""
        before = self.add("CumSum", ["widths", "zero"], "slots_before", exclusive=1)
        before = self.add("Mul", [before, self._integer("heads", self._heads)], "rows_before")
        rows = self.add("Gather", [before, texts], "first_rows", axis=0)
        rows = self.add("Add", [rows, "positions"], "first_head_rows")
        rows = self.add("Unsqueeze", [rows, "head_axis"], "first_head_rows_by_token")
        widths = self.add("Gather", ["widths", texts], "widths_by_token", axis=0)
        widths = self.add("Unsqueeze", [widths, "head_axis"], "widths_by_head")
        each = self._integer("each_head", np.arange(self._heads).reshape(1, -1))
        self.add("Add", [rows, self.add("Mul", [widths, each], "head_rows")], "attended_rows")

    def _embeddings(self) -> str:
        prefix = "bert.embeddings"
        words = self.constant("words", self._weights[f"{prefix}.word_embeddings.weight"])
        positions = self._weights[f"{prefix}.position_embeddings.weight"]
        types = self._weights[f"{prefix}.token_type_embeddings.weight"]
        table = self.constant("position_table", positions + types[0])
        words = self.add("Gather", [words, TOKEN_IDS], "word_embeddings")
        table = self.add("Gather", [table, "positions"], "position_embeddings")
        return self._normalised(f"{prefix}.LayerNorm", self.add("Add", [words, table], "embeddings"), "embedded")

    def _layer(self, layer: int, tokens: str) -> str:
        parts = self._parts(layer, ("query", "key", "value"), tokens, "qkv")
        attended = self._attention(layer, parts, {})
        packed = self.add("Gather", [attended, "attended_rows"], f"{layer}/attended_by_token", axis=0)
        return self._after_attention(layer, packed, tokens)

    def _last_layer(self, layer: int, tokens: str) -> str:
        parts = self._parts(layer, ("key", "value"), tokens, "kv")
        first = self.add("Gather", [tokens, FIRST_TOKENS], f"{layer}/first", axis=0)
        query = self._product(layer, "attention.self", ("query",), first, "first_query")
        one_slot = self._integer("one_slot", [-1, self._heads, 1, self._head_size])
        queries = self.add("Reshape", [query, one_slot], f"{layer}/query")
        first_queries = {
            group: self.add("Slice", [queries, *bounds], f"{group}/{layer}/first_query")
            for group, bounds in GROUPS.items()
        }
        return self._after_attention(layer, self._attention(layer, parts, first_queries), first)

    def _parts(self, layer: int, names: tuple[str, ...], tokens: str, output: str) -> str:
        """These of all tokens from one product, cut into heads: [tokens x names x heads, head size]."""
        parts = self._product(layer, "attention.self", names, tokens, output)
        return self.add("Reshape", [parts, self._integer("by_head", [-1, self._head_size])], f"{layer}/{output}_heads")

    def _attention(self, layer: int, parts: str, queries: Mapping[str, str]) -> str:
        """[texts x heads x queries, head size], the texts of one group after those of the other.

        `queries` are those of each group by text, head and slot; where there are none they are the first of the parts.
        """
        by_head = self._part(layer, "attention.self.query.bias").reshape(self._heads, 1, self._head_size)
        bias = self.constant(f"{layer}/query_bias", by_head)
        scale = self._head_size**-0.5
        names = ("key", "value") if queries else ("query", "key", "value")
        attended = []
        for group in GROUPS:
            prefix = f"{group}/{layer}"
            rows = {name: f"{group}/rows/{part}/{len(names)}" for part, name in enumerate(names)}
            query = queries.get(group) or self.add("Gather", [parts, rows["query"]], f"{prefix}/query", axis=0)
            query = self.add("Add", [query, bias], f"{prefix}/biased_query")
            key = self.add("Gather", [parts, rows["key"]], f"{prefix}/key", axis=0)
            scores = self.add("FusedMatMul", [query, key], f"{prefix}/attention", MICROSOFT, transB=1, alpha=scale)
            scores = self.add("Add", [scores, f"{group}/score_bias"], f"{prefix}/masked_attention")
            shares = self.add("Softmax", [scores], f"{prefix}/attention_shares", axis=-1)
            # Of what a node reads ONNX Runtime computes the last first. So the values are taken out before the scores
            # are there, and the parts' memory is free by then: with BERT-base 10 MB of a worker that reads long texts.
            value = self.add("Gather", [parts, rows["value"]], f"{prefix}/value", axis=0)
            values = self.add("MatMul", [shares, value], f"{prefix}/attended")
            attended.append(self.add("Reshape", [values, "by_head"], f"{prefix}/attended_heads"))
        return self.add("Concat", attended, f"{layer}/attended", axis=0)

    def _after_attention(self, layer: int, attended: str, residual: str) -> str:
        prefix = f"bert.encoder.layer.{layer}"
        flat = self.add("Reshape", [attended, self._integer("by_token", [-1, self._hidden])], f"{layer}/attended_flat")
        weight = self._part(layer, "attention.output.dense.weight")
        bias = self._part(layer, "attention.output.dense.bias")
        bias = bias + weight @ self._part(layer, "attention.self.value.bias")
        output = self._product(layer, "attention.output", ("dense",), flat, "attention_output")
        output = self.add("Add", [self._plus(output, bias), residual], f"{output}_sum")
        output_bias = self._part(layer, "output.dense.bias")
        attended = self._normalised(
            f"{prefix}.attention.output.LayerNorm", output, f"{layer}/after_attention", output_bias
        )
        inner = self._product(layer, "intermediate", ("dense",), attended, "intermediate")
        excess = self._part(layer, "intermediate.dense.weight") @ output_bias
        inner = self._plus(inner, self._part(layer, "intermediate.dense.bias") - excess)
        inner = self.add("Gelu", [inner], f"{layer}/gelu", MICROSOFT)
        output = self._product(layer, "output", ("dense",), inner, "output")
        output = self.add("Add", [output, attended], f"{output}_sum")
        return self._normalised(f"{prefix}.output.LayerNorm", output, f"{layer}/tokens")

    def _classify(self, first: str) -> None:
        """The pooler and the classifier, on one token of each text."""
        pooled = self._dense("bert.pooler.dense", first, "pooled/before_tanh")
        self._dense("classifier", self.add("Tanh", [pooled], "pooled"), LOGITS_OUTPUT)

    def _dense(self, prefix: str, source: str, output: str) -> str:
        weight = self.constant(f"{prefix}.weight", self._weights[f"{prefix}.weight"].T)
        bias = self.constant(f"{prefix}.bias", self._weights[f"{prefix}.bias"])
        return self.add("Gemm", [source, weight, bias], output)

    def _product(self, layer: int, place: str, names: tuple[str, ...], source: str, output: str) -> str:
        """The product of the rows of `source` with one or more weights side by side; its biases are added elsewhere."""
        weights = [self._part(layer, f"{place}.{name}.weight").T for name in names]
        weight = self.constant(f"{layer}/{output}_weight", np.concatenate(weights, axis=1))
        return self.add("MatMul", [source, weight], f"{layer}/{output}")

    def _plus(self, product: str, bias: np.ndarray) -> str:
        # As a row of a matrix: a vector before a GELU would become ONNX Runtime's BiasGelu, which is slower than both.
        return self.add("Add", [product, self.constant(f"{product}_bias", bias[np.newaxis])], f"{product}_biased")

    def _normalised(self, prefix: str, source: str, output: str, added: float | np.ndarray = 0.0) -> str:
        """The layer normalisation of that name, and what is added to it, which costs nothing in its bias."""
        gain = self.constant(f"{prefix}.weight", self._weights[f"{prefix}.weight"])
        bias = self.constant(f"{prefix}.bias", self._weights[f"{prefix}.bias"] + added)
        epsilon = self._config.layer_norm_eps
        return self.add("LayerNormalization", [source, gain, bias], output, axis=-1, epsilon=epsilon)

    def _part(self, layer: int, name: str) -> np.ndarray:
        return self._weights[f"bert.encoder.layer.{layer}.{name}"]

    def _integer(self, name: str, value: object) -> str:
        return self.constant(name, value, np.int64)
