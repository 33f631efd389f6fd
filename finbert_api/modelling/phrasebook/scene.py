"""One invented situation per sentence: who, where, when and how much; every slot a template can name."""

import random
import tomllib
from importlib.resources import files
from typing import Any

from finbert_api.modelling.phrasebook.figures import figures

_CAPITALS_SHARE, _SUFFIX_SHARE = 0.06, 0.34
_EXCHANGES = ("HEL", "HEL", "HEL", "STO", "OMX Helsinki", "OSL", "CPH", "LSE", "NYSE", "NASDAQ", "TAL", "RSE")
# Lists of the vocabulary of which a sentence may need several different words.
_LISTS = "city country nationality industry region products unit project technology site role broker month"


class SceneMaker:
    """Makes scenes from the words of the vocabulary and phrases files, drawing on one random generator."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._words: dict[str, list[str]] = _read("vocabulary.toml")
        phrases = _read("phrases.toml")
        self._phrases: dict[str, str] = phrases["phrases"]
        self._directions: dict[str, tuple[str, str]] = phrases["directions"]

    def scene(self, *, up: bool) -> dict[str, str]:
        """A value for each slot; it may hold further slots and options. `up`: the sentence's main figure rises."""
        rng, words = self._rng, self._words
        values = dict(self._phrases)
        for slot, (rising, falling) in self._directions.items():
            values[slot] = rising if up else falling
            # The opposite movement, for clauses that set one figure against another.
            values[f"not_{slot}"] = falling if up else rising
        for slot in _LISTS.split():
            values[slot], values[f"{slot}2"], values[f"{slot}3"] = rng.sample(words[slot], 3)
        for slot in ("company", "company2", "company3"):
            values[slot] = self._company()
        for slot in ("person", "person2"):
            values[slot] = f"{rng.choice(words['first_name'])} {rng.choice(words['last_name'])}"
        values["ticker"] = self._ticker()
        return values | figures(rng, up=up) | self._times()

    def _company(self) -> str:
        rng, words = self._rng, self._words
        name = rng.choice(words["name_start"]) + rng.choice(words["name_end"])
        chance = rng.random()
        if chance < _CAPITALS_SHARE:
            return name.upper()[:6]
        return f"{name} {rng.choice(words['company_suffix'])}" if chance < _CAPITALS_SHARE + _SUFFIX_SHARE else name

    def _ticker(self) -> str:
        letters = "".join(self._rng.choices("ABCDEFGHIKLMNOPRSTUVY", k=self._rng.randint(3, 5)))
        exchange = self._rng.choice(_EXCHANGES)
        return self._rng.choice([f"({exchange}: {letters})", f"({exchange}: {letters})", f"({letters})"])

    def _times(self) -> dict[str, str]:
        """Years, a period of a report, the same period a year earlier, and dates."""
        rng, months = self._rng, self._words["month"]
        year, number = rng.randint(2003, 2025), rng.randint(1, 4)
        day, month = rng.randint(1, 28), rng.choice(months)
        return {
            "year": str(year),
            "last_year": str(year - 1),
            "next_year": str(year + 1),
            "later_year": str(year + rng.randint(2, 5)),
            "founded": str(rng.randint(1880, 2002)),
            "quarter": self._words["quarter"][number - 1],
            "quarter_number": str(number),
            "date": rng.choice([f"{day} {month} {year}", f"{month} {day}, {year}", f"{day} {month}", f"{month} {day}"]),
        }


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath(name).read_text(encoding="utf-8"))
