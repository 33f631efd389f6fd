"""Company-report sentences with their labels, written by a grammar of our own: nothing in them is quoted.

The templates and words are in the TOML files beside this module. In a template, {slot} stands for a value of the
sentence's scene and [a|b] for one of several wordings; both nest. Every template is one group, so that a split by group
never has the same template on both sides. A label comes from the family of the template and from the way that its main
figure moves.
"""

import hashlib
import random
import re
import tomllib
from importlib.resources import files
from typing import NamedTuple

from finbert_api.domain.sentiment import Label
from finbert_api.modelling.examples import Example
from finbert_api.modelling.phrasebook.scene import SceneMaker
from finbert_api.modelling.phrasebook.style import finished

SOURCE = "generated"
# More rise than fall in the reports of companies.
RISING_SHARE = 0.58
DATELINE_SHARE = 0.05
_TEMPLATE_FILES = ("comparisons.toml", "events.toml", "facts.toml")
_INNERMOST = re.compile(r"\[([^\[\]]*)\]|\{(\w+)\}")


class Family(NamedTuple):
    """Templates of one kind, their share of all sentences, and the label when the main figure rises or falls."""

    weight: float
    rising: Label
    falling: Label
    templates: list[str]


def read_families() -> list[Family]:
    """The families of all template files."""
    return [
        Family(entry["weight"], Label(entry["rising"]), Label(entry["falling"]), entry["templates"])
        for name in _TEMPLATE_FILES
        for entry in tomllib.loads(files(__name__).joinpath(name).read_text(encoding="utf-8"))["family"]
    ]


def generate(count: int, seed: int) -> list[Example]:
    """So many different sentences with their labels; the same seed gives the same ones. `group` is the template."""
    # No secret hangs on it: the generator must repeat itself, which a cryptographic one can't.
    rng = random.Random(seed)  # noqa: S311 - sentences that must repeat themselves, no secrets
    families = read_families()
    weights = [family.weight for family in families]
    scenes = SceneMaker(rng)
    examples: dict[str, Example] = {}
    while len(examples) < count:
        family = rng.choices(families, weights)[0]
        template = rng.choice(family.templates)
        up = rng.random() < RISING_SHARE
        scene = scenes.scene(up=up)
        text = finished(expanded(template, scene, rng), rng)
        if rng.random() < DATELINE_SHARE:
            text = expanded("{dateline}", scene, rng) + text
        label = family.rising if up else family.falling
        examples.setdefault(text, Example(text=text, label=label, group=_group(template), source=SOURCE))
    return list(examples.values())


def expanded(template: str, values: dict[str, str], rng: random.Random) -> str:
    """The template with one option of each [a|b] and the value of each {slot}, from the inside out.

    Raises KeyError for a slot that the scene does not have.
    """
    text, replaced = template, 1
    while replaced:
        text, replaced = _INNERMOST.subn(
            lambda match: values[match[2]] if match[2] else rng.choice(match[1].split("|")), text
        )
    return text


def _group(template: str) -> str:
    return f"{SOURCE}:{hashlib.sha256(template.encode()).hexdigest()[:12]}"
