"""A PyTorch checkpoint in Hugging Face format: found on the hub or in a folder, checked, loaded, and run."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from finbert_api.domain.errors import CheckpointError
from finbert_api.domain.progress import Progress, silent
from finbert_api.domain.sentiment import Label
from finbert_api.inference.batching import batches_by_length
from finbert_api.modelling.scoring import BATCH_TOKENS

TRAINING_NAME = "training.json"
HUB_FILES = ["*.json", "vocab.txt", "*.safetensors", "pytorch_model*.bin"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded classifier with its tokenizer.

    `labels` is the order of its logits, `max_tokens` the longest input it reads, `revision` the hub's commit (empty
    for a folder), `training` what `finbert model train` wrote beside the weights (empty for other checkpoints).
    """

    model_id: str
    model: Any
    tokenizer: Any
    labels: tuple[Label, ...]
    max_tokens: int
    revision: str = ""
    training: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The last part of the hub id, or the name of the folder."""
        return Path(self.model_id).resolve().name

    def token_ids(self, text: str) -> list[int]:
        """The ids that the original's own tokenizer gives, cut at `max_tokens`."""
        ids: list[int] = self.tokenizer(text, truncation=True, max_length=self.max_tokens)["input_ids"]
        return ids

    def scores(self, texts: Sequence[str], progress: Progress = silent) -> np.ndarray:
        """Scores after softmax, float64 [texts, labels] in the order of `labels`, as PyTorch computes them."""
        tokens = [self.token_ids(text) for text in texts]
        scores = np.empty((len(texts), len(self.labels)))
        for rows in progress(batches_by_length(tokens, BATCH_TOKENS), desc="PyTorch scores"):
            batch = self.tokenizer.pad({"input_ids": [tokens[row] for row in rows]}, return_tensors="pt")
            with torch.inference_mode():
                logits = self.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
            scores[rows] = torch.softmax(logits.double(), dim=-1).numpy()
        return scores


def load_checkpoint(model_id: str) -> Checkpoint:
    """The checkpoint of a hub id or a local folder, in evaluation mode with eager attention.

    Raises CheckpointError when it can't be found or read, is no BERT classifier of float weights with erf GELU, or has
    other labels than positive, negative and neutral.
    """
    folder = Path(model_id)
    revision = ""
    if not folder.is_dir():
        folder = _download(model_id)
        revision = folder.name
    # It reports each weight that a checkpoint lacks or has too many; what matters of that is an error below.
    logging.getLogger("transformers").setLevel(logging.ERROR)
    try:
        config = AutoConfig.from_pretrained(folder)
        _check_architecture(model_id, config)
        labels = _labels(model_id, config)
        model, report = AutoModelForSequenceClassification.from_pretrained(
            folder, attn_implementation="eager", dtype=torch.float32, output_loading_info=True
        )
        tokenizer = AutoTokenizer.from_pretrained(folder)
        training = _training(folder)
    except CheckpointError:
        raise
    except Exception as error:  # transformers, torch and safetensors raise types of their own with no common base
        raise CheckpointError(f"{model_id} can't be loaded as a checkpoint: {_first_line(error)}") from error
    if report["missing_keys"] or report["mismatched_keys"]:
        # transformers would start these at random and only print a warning.
        names = sorted(map(str, [*report["missing_keys"], *report["mismatched_keys"]]))
        raise CheckpointError(f"{model_id} is no trained classifier: it lacks the weights {', '.join(names[:4])}")
    return Checkpoint(
        model_id=model_id,
        model=model.eval(),
        tokenizer=tokenizer,
        labels=labels,
        max_tokens=config.max_position_embeddings,
        revision=revision,
        training=training,
    )


def _download(model_id: str) -> Path:
    """The folder in the local hub cache, named for the commit, that holds the files of a hub id."""
    try:
        return Path(snapshot_download(model_id, allow_patterns=HUB_FILES))
    except HFValidationError as error:
        raise CheckpointError(f"{model_id} is neither a folder here nor a model id of the hub") from error
    except Exception as error:  # the hub's client lets errors of its HTTP library through
        raise CheckpointError(
            f"{model_id} is no folder here and can't be fetched from the model hub: {_first_line(error)}"
        ) from error


def _check_architecture(model_id: str, config: Any) -> None:
    if config.model_type != "bert":
        raise CheckpointError(f"{model_id} is a {config.model_type} model; only bert can be exported")
    if config.hidden_act != "gelu":
        raise CheckpointError(f"{model_id} uses the activation {config.hidden_act}; only gelu can be exported")


def _labels(model_id: str, config: Any) -> tuple[Label, ...]:
    names = [str(name) for _, name in sorted(config.id2label.items())]
    if sorted(name.lower() for name in names) != sorted(Label):
        raise CheckpointError(f"{model_id} has the labels {', '.join(names)}; it must have positive, negative, neutral")
    return tuple(Label(name.lower()) for name in names)


def _training(folder: Path) -> dict[str, Any]:
    path = folder / TRAINING_NAME
    if not path.is_file():
        return {}
    training: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return training


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
