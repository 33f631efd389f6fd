import random
import re
from collections import Counter

import pytest

from finbert_api.domain.sentiment import Label
from finbert_api.modelling.phrasebook import SOURCE, expanded, generate, read_families
from finbert_api.modelling.phrasebook.figures import figures
from finbert_api.modelling.phrasebook.scene import SceneMaker
from finbert_api.modelling.phrasebook.style import finished

FAMILIES = read_families()
TEMPLATES = [template for family in FAMILIES for template in family.templates]


@pytest.fixture(scope="module")
def sentences():
    return generate(3000, seed=7)


def seeded(seed):
    return random.Random(seed)  # noqa: S311 - sentences, no secrets


def number(text):
    return float(re.search(r"[\d,]+\.?\d*", text)[0].replace(",", ""))


def test_gives_as_many_different_sentences_as_asked(sentences):
    assert len({sentence.text for sentence in sentences}) == 3000


def test_the_same_seed_gives_the_same_sentences(sentences):
    assert generate(3000, seed=7) == sentences
    assert generate(3000, seed=8) != sentences


def test_the_shares_of_the_labels_are_near_those_of_company_reports(sentences):
    shares = Counter(sentence.label for sentence in sentences)

    assert 0.40 < shares[Label.NEUTRAL] / 3000 < 0.62
    assert 0.20 < shares[Label.POSITIVE] / 3000 < 0.35
    assert 0.13 < shares[Label.NEGATIVE] / 3000 < 0.28


def test_every_sentence_is_finished(sentences):
    unfinished = [
        s.text for s in sentences if re.search(r"[\[\]{}|]|\s\s|,\s*,|^\W*$", s.text) or s.text != s.text.strip()
    ]

    assert unfinished == []


def test_sentences_are_short_and_long(sentences):
    lengths = [len(sentence.text.split()) for sentence in sentences]

    assert min(lengths) <= 6
    assert max(lengths) >= 35


def test_a_group_is_one_template(sentences):
    groups = {sentence.group for sentence in sentences}

    assert 300 < len(groups) <= len(TEMPLATES)
    assert {sentence.source for sentence in sentences} == {SOURCE}


def test_no_template_stands_twice():
    assert len(set(TEMPLATES)) == len(TEMPLATES)


@pytest.mark.parametrize("up", [True, False])
def test_every_template_and_all_its_wordings_can_be_filled(up):
    rng = seeded(1)
    scenes = SceneMaker(rng)
    for template in TEMPLATES:
        for _ in range(5):
            assert finished(expanded(template, scenes.scene(up=up), rng), rng)


@pytest.mark.parametrize("template", [t for t in TEMPLATES if "{new}" in t and "{old}" in t])
def test_templates_that_compare_figures_belong_to_families_that_know_the_direction(template):
    family = next(family for family in FAMILIES if template in family.templates)

    directed = family.rising != family.falling
    sign_turned = re.search(r"loss|negative|black|red", template)
    plain_fact = "apital" in template or "investments" in template
    assert directed or sign_turned or plain_fact


@pytest.mark.parametrize("up", [True, False])
def test_figures_as_printed_agree_with_the_direction(up):
    for seed in range(300):
        values = figures(seeded(seed), up=up)
        for pair in ("new old", "new2 old2", "margin_new margin_old", "ratio_new ratio_old", "eps_new eps_old"):
            new, old = (number(values[slot]) for slot in pair.split())
            assert (new > old) if up else (new < old), (seed, pair, values)


def test_the_percentage_is_the_change_of_the_figures():
    values = figures(seeded(5), up=True)

    change = 100 * (number(values["count_new"]) / number(values["count_old"]) - 1)
    assert number(values["pct"]) == pytest.approx(change, abs=0.6)


def test_a_rise_and_a_fall_share_a_template_but_not_the_label():
    found = {}
    for sentence in generate(4000, seed=3):
        found.setdefault(sentence.group, set()).add(sentence.label)

    assert sum({Label.POSITIVE, Label.NEGATIVE} <= labels for labels in found.values()) > 80


def test_numbers_alone_carry_the_direction_in_some_sentences(sentences):
    amount = r"(?:EUR|USD|SEK|NOK|DKK|GBP|CHF|PLN|\$|€) ?([\d,]+\.?\d*) ?(?:mn|million|bn|m)"
    pattern = re.compile(rf"{amount} ?, (?:compared (?:to|with)|against|versus|vs) {amount}")
    pairs = [
        (float(match[1].replace(",", "")) > float(match[2].replace(",", "")), sentence.label)
        for sentence in sentences
        if (match := pattern.search(sentence.text)) and not re.search("loss|cost|expense|[dD]ebt", sentence.text)
    ]

    judged = [(risen, label) for risen, label in pairs if label is not Label.NEUTRAL]
    assert len(judged) > 20
    assert all((label is Label.POSITIVE) == risen for risen, label in judged)


def test_unknown_slot_is_an_error():
    with pytest.raises(KeyError):
        expanded("{nothing}", {}, seeded(0))


def test_options_and_slots_nest():
    text = expanded("[{a}|{a}] and {b}", {"a": "[one|one]", "b": "{a}"}, seeded(0))

    assert text == "one and one"


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ("net sales was EUR 1 mn", "Net sales were EUR 1 mn"),
        ("operating profit were EUR 1 mn", "Operating profit was EUR 1 mn"),
        ("a order from {a} unit".replace("{a} ", "a "), "An order from a unit"),
        ("a EBIT of 1 , it said", "An EBIT of 1, it said"),
    ],
)
def test_words_agree(raw, sentence):
    class Plain(random.Random):
        def random(self):
            return 0.99

    assert finished(raw, Plain()) == sentence
