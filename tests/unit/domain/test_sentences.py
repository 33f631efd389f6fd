import pytest
from hypothesis import given
from hypothesis import strategies as st

from finbert_api.domain.sentences import sentences


def split(text):
    return [text[span.start : span.end] for span in sentences(text)]


@pytest.mark.parametrize(
    "text",
    [
        "Apple Inc. rose 3%. | Microsoft Corp. fell.",
        "Acme earned $1.2 bn. in Q3. | Profit fell.",
        "Revenue was $1.2 bn. | Profit fell.",
        "Sales rose in Q3. | Costs fell in Q4.",
        "The U.S. economy grew 2.1% in Q2. | The Fed held rates.",
        "J. P. Morgan said so. | Mr. A. B. Smith agreed.",
        "Shares of Nokia Oyj rose to EUR 13.1 mn. from EUR 8.7 mn. in 2009.",
        "It beat est. by $0.05 vs. $0.04.",
        'He said: "Profit rose. Costs fell." | Then he left.',
        "EPS of $.45 vs. $.40 est. | Shares (NYSE: BRK.A) rose.",
        "Sales rose approx. 5 pct. | Net debt fell.",
        "Berkshire Hathaway Inc. Class B shares rose.",
        "Profit fell!!! | Really? | Yes.",
        "No. 1 in the market. | No. 2 is far.",
        "Amazon.com Inc. said so. | Yahoo! Inc. fell.",
        "Sales for Jan. 31 were up. | On Feb. 1 they fell.",
        "Shares rose at 10 a.m. ET. | They fell at 5 p.m. yesterday.",
        "A net loss of (1.2) million... | Outlook unclear.",
        "The deal (see p. 5, Fig. 2) closed. | Good.",
        "profit rose. | costs fell.",
        "1. First point. | 2. Second point.",
        "利润上升。|成本下降。",
        "No end",
    ],
)
def test_a_financial_text_is_cut_where_its_sentences_end(text):
    expected = [part.strip() for part in text.split("|")]
    assert split(text.replace("|", "") if "。" in text else text.replace(" | ", " ")) == expected


def test_an_empty_line_ends_a_sentence_and_a_line_end_does_not():
    assert split("A headline\n\nThe company\nsaid so.\r\n\r\nMore") == ["A headline", "The company\nsaid so.", "More"]


def test_what_has_no_letter_belongs_to_the_sentence_after_it():
    assert split("*** Profit rose.") == ["*** Profit rose."]
    assert split("1. Profit rose.") == ["1. Profit rose."]
    assert split("5.\n\nProfit rose.") == ["5.", "Profit rose."]


def test_offsets_count_characters_not_bytes():
    text = "  🚀 é rose. Ünternehmen fiel.\n"
    assert [(span.start, span.end) for span in sentences(text)] == [(2, 11), (12, 29)]


PIECES = ["Profit rose", "approx.", "bn.", "Inc.", "U.S.", "5", "1.2", ".", "!", "?", "…", "。", '"', "(", ")", "\n",
          "\n\n", " ", "\r\n", "\u2028", "\u00a0", "\u200b", "🚀", "é",
          "e\u0301", "ß", "«", "-", "'", "a", "A"]  # fmt: skip
TEXTS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=40).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
)


@given(TEXTS)
def test_every_sentence_is_its_part_of_the_text_and_nothing_is_left_out(text):
    spans = sentences(text)
    assert all(text[span.start : span.end] == text[span.start : span.end].strip() != "" for span in spans)
    edges = [0, *(edge for span in spans for edge in (span.start, span.end)), len(text)]
    assert edges == sorted(edges)
    between = [text[end:start] for end, start in zip(edges[::2], edges[1::2], strict=True)]
    assert "".join(between).strip() == ""
