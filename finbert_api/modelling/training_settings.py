"""What a training can be told, kept apart from PyTorch so that the command line knows it without loading that."""

from dataclasses import dataclass

DEFAULT_BASE = "sentence-transformers/all-MiniLM-L6-v2"


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Hyperparameters. Texts are cut at `max_tokens` in training only; the model itself reads what its base reads.

    Training ends early after `patience` evaluations in a row that bring no better macro-F1.
    """

    epochs: int = 2
    batch_size: int = 32
    learning_rate: float = 5e-5
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    label_smoothing: float = 0.05
    max_tokens: int = 128
    evaluations_per_epoch: int = 3
    patience: int = 3
    seed: int = 13
