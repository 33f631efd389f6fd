"""The ONNX Runtime session: padded batches of token ids in, logits out."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime

from finbert_api.domain.errors import ArtifactError

LOGITS_OUTPUT = "logits"
# What a run takes grows with the square of its longest text: attention's scores alone, in float32 and with 12 heads,
# are 0.8 MB for a text of so many tokens and 12.6 MB for one of 512. A worker would keep what its largest run took.
LONG_TEXT_TOKENS = 128


class Session(Protocol):
    """What computes."""

    def run(self, batch: Sequence[Sequence[int]]) -> np.ndarray:
        """Logits [texts, labels] of a batch of token ids."""


class ModelSession:
    """One loaded graph. `run` may be called from several threads at once.

    `is_prepacked` says that the graph was optimised and its weights laid out before. With `spinning` its threads keep
    their processors while they wait for each other within a run, which is faster where nobody else wants them. With
    `exact_sums` 8-bit weights give on every processor what they give on one with VNNI; without VNNI that takes longer.
    Create it after a fork: ONNX Runtime's thread pools do not survive one.
    """

    def __init__(
        self,
        model_path: Path,
        intra_op_threads: int = 1,
        *,
        is_prepacked: bool = False,
        spinning: bool = False,
        exact_sums: bool = False,
    ) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = intra_op_threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
        # And no longer: what follows a run (its answer, its row) needs the processors.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        options.add_session_config_entry("session.x64quantprecision", str(int(exact_sums)))
        _share_arena()
        options.add_session_config_entry("session.use_env_allocators", "1")
        # It would keep a plan of the memory for each shape that ever came, and no two batches have the same.
        options.enable_mem_pattern = False
        # To plan which tensor may lie where another one was takes four fifths of loading a BERT-base; without the plan
        # the arena finds the same places while it runs, in the same time.
        options.enable_mem_reuse = False
        if is_prepacked:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(model_path), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the binding raises exception types of its own with no common base
            raise ArtifactError(f"{model_path} can't be loaded by ONNX Runtime: {error}") from error

    def run(self, batch: Sequence[Sequence[int]]) -> np.ndarray:
        """Logits, float32 [texts, labels], of a batch of token ids, padded here to its longest row.

        After a long text its memory is given back.
        """
        options = _giving_memory_back() if max(map(len, batch)) > LONG_TEXT_TOKENS else None
        logits: np.ndarray = self._session.run([LOGITS_OUTPUT], padded(batch), options)[0]
        return logits


@cache
def _giving_memory_back() -> onnxruntime.RunOptions:
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


@cache
def _share_arena() -> None:
    """Gives all sessions of this process one arena."""
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(memory, None)


def padded(batch: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
    """The graph's inputs for token ids: int64 [texts, tokens], each row padded at its end to the longest."""
    input_ids = np.zeros((len(batch), max(map(len, batch))), dtype=np.int64)
    attention_mask = np.zeros_like(input_ids)
    for row, ids in enumerate(batch):
        input_ids[row, : len(ids)] = ids
        attention_mask[row, : len(ids)] = 1
    return {"input_ids": input_ids, "attention_mask": attention_mask}
