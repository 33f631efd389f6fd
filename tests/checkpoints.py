"""Writes checkpoint folders of the form in which the hub keeps ProsusAI/finbert, small and taught a simple rule.

The form: config.json of a BertForSequenceClassification, pytorch_model.bin in the file format of old PyTorch versions
whose state dict still carries `bert.embeddings.position_ids`, vocab.txt, tokenizer_config.json and
special_tokens_map.json; no tokenizer.json and no safetensors.
"""

import json
import re
import string
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import BertConfig, BertForSequenceClassification

FINBERT_LABELS = ("positive", "negative", "neutral")
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
RISING = (
    "rose",
    "rises",
    "rise",
    "risen",
    "grew",
    "grow",
    "growth",
    "up",
    "higher",
    "strong",
    "record",
    "beat",
    "raised",
)
FALLING = (
    "losses",
    "loss",
    "fell",
    "falls",
    "fall",
    "fallen",
    "dropped",
    "drop",
    "down",
    "lower",
    "weak",
    "missed",
    "cut",
)
PLAIN = tuple(
    re.findall(
        r"\w+",
        """
        the an of to in and for on at by with from its it is was were has have had will not no more than as this that
        company group bank firm share shares stock stocks market investors profit sales revenue orders order margin
        dividend guidance forecast outlook quarter year million billion euro euros eur usd percent unchanged flat
        stable said net operating results earnings debt plant contract agreement deal acquisition board meeting annual
        general interim report analyst target price costs demand supply oil gas steel paper
        """,
    )
)
PIECES = (*string.ascii_lowercase, *string.digits, "ing", "ed", "er", "ly", "ation")
CHARACTERS = (*string.ascii_lowercase, *string.digits, *string.punctuation, *"€£中国股ا")
LESSON_TEXTS = 48


def vocabulary(size: int | None = None) -> list[str]:
    """A WordPiece vocabulary: special tokens, characters, continuations, finance words.

    With a size it is filled up with `[unusedN]`, as BERT's own is.
    """
    tokens = [*SPECIAL_TOKENS, *CHARACTERS, *(f"##{piece}" for piece in PIECES), *RISING, *FALLING, *PLAIN]
    return tokens + [f"[unused{number}]" for number in range((size or 0) - len(tokens))]


def write_checkpoint(
    folder: Path,
    *,
    layers: int = 2,
    hidden: int = 64,
    heads: int = 4,
    vocab_size: int | None = None,
    max_tokens: int = 512,
    labels: Sequence[str] = FINBERT_LABELS,
    seed: int = 0,
    lessons: int = 150,
) -> Path:
    """The folder, now holding a classifier that calls words of rising positive, of falling negative, others neutral."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = vocabulary(vocab_size)
    config = {
        "architectures": ["BertForSequenceClassification"],
        "attention_probs_dropout_prob": 0.1,
        "gradient_checkpointing": False,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": hidden,
        "id2label": {str(position): label for position, label in enumerate(labels)},
        "initializer_range": 0.02,
        "intermediate_size": 4 * hidden,
        "label2id": {label: position for position, label in enumerate(labels)},
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": max_tokens,
        "model_type": "bert",
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
        "type_vocab_size": 2,
        "vocab_size": len(tokens),
    }
    special = {f"{token[1:-1].lower()}_token": token for token in SPECIAL_TOKENS}
    tokenizer_config = {"do_lower_case": True, "model_max_length": max_tokens, "tokenizer_class": "BertTokenizer"}
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config), encoding="utf-8")
    (folder / "special_tokens_map.json").write_text(json.dumps(special), encoding="utf-8")

    threads = torch.get_num_threads()
    # Products this small are slower on several threads, many times so on a busy machine.
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = BertForSequenceClassification(BertConfig.from_pretrained(folder))
        _enliven(model)
        _teach(model, tokens, labels, lessons)
    torch.set_num_threads(threads)
    state = model.state_dict() | {"bert.embeddings.position_ids": torch.arange(max_tokens).unsqueeze(0)}
    torch.save(state, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    return folder


def _enliven(model: BertForSequenceClassification) -> None:
    """Random weights that keep a signal's size from layer to layer, so that what a text says reaches the classifier.

    With BERT's own initialisation (standard deviation 0.02) all texts get nearly the same scores, and a comparison of
    two precisions would hold whatever they compute.
    """
    with torch.no_grad():
        for name, parameter in model.bert.named_parameters():
            noise = torch.randn(parameter.shape)
            if "LayerNorm.weight" in name:
                parameter.copy_(1 + 0.1 * noise)
            elif parameter.dim() == 1:
                parameter.copy_(0.05 * noise)
            elif "embeddings" in name:
                parameter.copy_(noise if "word" in name else 0.02 * noise)
            else:
                parameter.copy_(noise / parameter.shape[1] ** 0.5)


def _teach(model: BertForSequenceClassification, tokens: list[str], labels: Sequence[str], lessons: int) -> None:
    """Trains on `lessons` batches of random words, one word of rising or falling or neither among plain ones.

    A taught model is sure of most texts, as a real one is; an untaught one has so many near ties that rounding to int8
    flips more of its labels than a parity gate may pass.
    """
    ids = {token: position for position, token in enumerate(tokens)}
    # Words that the vocabulary lacks reach the model as characters and pieces: those say nothing either.
    other = [*PLAIN, *CHARACTERS, *(f"##{piece}" for piece in PIECES), "[UNK]"]
    rising, falling, plain = (torch.tensor([ids[word] for word in words]) for words in (RISING, FALLING, other))
    cues = dict(zip(FINBERT_LABELS, (rising, falling, plain), strict=True))
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(lessons):
        length = int(torch.randint(4, 40, ()))
        batch = plain[torch.randint(len(plain), (LESSON_TEXTS, length))]
        batch[:, 0], batch[:, -1] = ids["[CLS]"], ids["[SEP]"]
        target = torch.randint(len(labels), (LESSON_TEXTS,))
        for row, label in enumerate(target):
            cue = cues.get(labels[label].lower(), plain)
            batch[row, torch.randint(1, length - 1, ())] = cue[torch.randint(len(cue), ())]
        optimiser.zero_grad()
        model(input_ids=batch, labels=target).loss.backward()
        optimiser.step()
