"""Figures of one sentence: money, counts, margins, earnings per share, before and after a change, in agreement."""

import random

# What stands before and after the number, and the size of a mid-sized company's figure in that unit.
_MONEY_FORMATS = (
    *[("EUR ", " mn", 40.0)] * 6,
    *[("EUR ", " million", 40.0)] * 3,
    *[("EUR", "mn", 40.0)] * 3,
    ("EUR ", "m", 40.0),
    ("EUR ", " bn", 3.0),
    ("EUR", "bn", 3.0),
    ("euro", " mn", 40.0),
    ("", " mln euro", 40.0),
    *[("", " million euros", 40.0)] * 2,
    ("€", " million", 40.0),
    ("USD ", " mn", 60.0),
    ("USD", "mn", 60.0),
    ("$", " million", 60.0),
    ("$", " billion", 3.0),
    ("US$ ", " million", 60.0),
    ("SEK ", " mn", 300.0),
    ("SEK ", " million", 300.0),
    ("NOK ", " million", 300.0),
    ("DKK ", " mn", 250.0),
    ("GBP ", " mn", 30.0),
    ("£", "m", 30.0),
    ("CHF ", " million", 50.0),
    ("PLN ", " mn", 120.0),
    ("EEK ", " mn", 200.0),
    ("LVL ", " mn", 15.0),
    ("LTL ", " mn", 80.0),
)
_CONVERTED_SHARE = 0.12
_DOLLARS_PER_EURO = 1.35
_SMALLEST = 0.05
_WHOLE_PERCENT_FROM = 10
_COUNTED = ("tonnes", "units", "vehicles", "passengers", "customers", "subscribers", "litres", "cubic metres")


def figures(rng: random.Random, *, up: bool) -> dict[str, str]:
    """Slots that hold figures.

    Each pair `new`/`old`, `count_new`/`count_old`, `margin_new`/`margin_old`, `eps_new`/`eps_old` rises from old to new
    when `up`, else falls, and differs as printed; `pct` is the change of new against old in percent. `flat` is the
    same amount twice over, `money`, `money2`, `money3` are amounts that have nothing to do with one another.
    """
    # Most changes are moderate, some are large: 2 % to 300 %, a mean of 40 %.
    ratio = 1 + min(3.0, 0.02 + rng.expovariate(2.6))
    money = _Money(rng, ratio)
    count = 1000 * 10 ** (2 * rng.random())
    margin = 1.5 + 12 * rng.random()
    eps = 0.04 + 0.9 * rng.random()
    high_low = {
        ("new", "old"): money.pair(rng.lognormvariate(0, 1.1)),
        ("new2", "old2"): money.pair(rng.lognormvariate(0.5, 1.1)),
        ("count_new", "count_old"): (f"{count * ratio:,.0f}", f"{count:,.0f}"),
        ("margin_new", "margin_old"): (f"{margin + 0.4 + 6 * (ratio - 1):.1f}", f"{margin:.1f}"),
        ("ratio_new", "ratio_old"): (f"{margin + 25 + 8 * (ratio - 1):.1f}", f"{margin + 24:.1f}"),
        ("eps_new", "eps_old"): (f"{eps * ratio + 0.01:.2f}", f"{eps:.2f}"),
    }
    values = {}
    for (new, old), (high, low) in high_low.items():
        values[new], values[old] = (high, low) if up else (low, high)
    change = 100 * (ratio - 1) if up else 100 * (1 - 1 / ratio)
    number = f"{change:.{rng.randint(0, 1) if change >= _WHOLE_PERCENT_FROM else 1}f}"
    values["pct"] = number + rng.choice(["%", "%", "%", "%", " pct", " percent", " per cent"])
    values["pct2"] = f"{rng.uniform(1, 40):.{rng.randint(0, 1)}f}%"
    values["pp"] = f"{rng.uniform(0.2, 6):.1f}"
    values["eps_up"], values["eps_low"] = f"{eps * ratio + 0.01:.2f}", f"{eps:.2f}"
    values["share2"] = f"{rng.uniform(1, 30):.{rng.randint(0, 2)}f}%"
    values["number_low"] = str(rng.randint(1, 28))
    values["clock"] = f"{rng.randint(8, 17)}:{rng.choice(['00', '15', '30'])}[| am| EET| (CET)]"
    values["phone"] = f"+{rng.randint(30, 60)} {rng.randint(10, 99)} {rng.randint(100, 999)} {rng.randint(1000, 9999)}"
    values["share"] = f"{rng.uniform(2, 70):.{rng.randint(0, 2)}f}%"
    values["flat"] = money.text(rng.lognormvariate(0, 1.1))
    for slot in ("money", "money2", "money3"):
        values[slot] = money.text(rng.lognormvariate(0, 1.2))
    values["counted"] = rng.choice(_COUNTED)
    values["price"] = f"EUR {rng.uniform(0.5, 45):.2f}"
    values["price2"] = f"EUR {rng.uniform(0.5, 45):.2f}"
    values["jobs"] = f"{rng.choice([rng.randint(8, 99), 10 * rng.randint(5, 90)]):,}"
    values["employees"] = f"{rng.choice([rng.randint(12, 400), 50 * rng.randint(3, 500)]):,}"
    values["shares"] = f"{rng.choice([rng.randint(1_000, 40_000_000), 1_000 * rng.randint(5, 60_000)]):,}"
    values["area"] = f"{100 * rng.randint(5, 900):,}"
    values["number"] = str(rng.randint(2, 60))
    values["number2"] = str(rng.randint(61, 950))
    values["employees2"] = f"{rng.choice([rng.randint(12, 400), 50 * rng.randint(3, 500)]):,}"
    values["years"] = rng.choice(["two", "three", "four", "five", "six", "ten", "several"])
    return values


class _Money:
    """Amounts in the one currency, unit and precision of a sentence, sometimes with a conversion in brackets."""

    def __init__(self, rng: random.Random, ratio: float) -> None:
        self._before, self._after, self._typical = rng.choice(_MONEY_FORMATS)
        self._decimals = rng.choice((0, 1, 1, 1, 1, 2))
        self._ratio = ratio
        self._converted = "EUR" in self._before and rng.random() < _CONVERTED_SHARE

    def text(self, relative: float) -> str:
        """An amount so many times the typical one of its unit."""
        value = max(relative, _SMALLEST) * self._typical
        amount = self._plain(value)
        if self._converted:
            amount += f" (USD {_DOLLARS_PER_EURO * value:,.{self._decimals}f}{self._after})"
        return amount

    def pair(self, relative: float) -> tuple[str, str]:
        """An amount after and before it grew by the ratio of the sentence, large enough that the change shows."""
        low = max(relative, _SMALLEST)
        while self._plain(low * self._typical) == self._plain(low * self._ratio * self._typical):
            low *= 2
        return self.text(low * self._ratio), self.text(low)

    def _plain(self, value: float) -> str:
        return f"{self._before}{value:,.{self._decimals}f}{self._after}"
