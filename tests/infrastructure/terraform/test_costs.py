"""The table of costs in the documents is what the prices give."""

import pytest
from infrastructure.terraform.costs import PRICES, of_a_month, table

from finbert_api.settings import PROJECT_ROOT

DOCUMENT = PROJECT_ROOT / "docs" / "infrastructure.md"


def test_table_is_what_the_prices_give():
    assert table() in DOCUMENT.read_text()


def test_document_says_of_when_and_where_the_prices_are():
    text = DOCUMENT.read_text()
    assert PRICES["as_of"] in text
    assert PRICES["region"] in text


def test_month_adds_up():
    compute, database, network, running = of_a_month(
        database=("db.t4g.micro", 20, 1), millions=1, hosts=("t3.small", 1, 30)
    )
    assert compute == pytest.approx(0.024 * 730 + 30 * 0.0952)
    assert database == pytest.approx(0.019 * 730 + 20 * 0.137)
    assert network == pytest.approx(0.005 * 730)
    assert running == pytest.approx(1.2 + 1.2 * 0.63 + (8 + 6) * 0.3 + 11 * 0.1)
