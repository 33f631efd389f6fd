"""The ONNX Runtime session: padded batches of token ids in, logits out."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from finbert_api.domain.errors import ArtifactError

LOGITS_OUTPUT = "logits"


class ModelSession:
    """One loaded graph. `run` may be called from several threads at once.

    Create it after a fork: ONNX Runtime's thread pools do not survive one.
    """

    def __init__(self, model_path: Path, intra_op_threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = intra_op_threads
        options.inter_op_num_threads = 1
        # Spinning burns a core after each run while other work (the HTTP side, PostgreSQL) wants it.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(model_path), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the binding raises exception types of its own with no common base
            raise ArtifactError(f"{model_path} can't be loaded by ONNX Runtime: {error}") from error

    def run(self, batch: Sequence[Sequence[int]]) -> np.ndarray:
        """Logits, float32 [texts, labels], of a batch of token ids, padded here to its longest row."""
        longest = max(map(len, batch))
        input_ids = np.zeros((len(batch), longest), dtype=np.int64)
        attention_mask = np.zeros_like(input_ids)
        for row, ids in enumerate(batch):
            input_ids[row, : len(ids)] = ids
            attention_mask[row, : len(ids)] = 1
        feeds = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "token_type_ids": np.zeros_like(input_ids),
        }
        logits: np.ndarray = self._session.run([LOGITS_OUTPUT], feeds)[0]
        return logits
