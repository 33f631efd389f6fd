"""Tables of predictions as years of service would leave them, written by COPY."""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from uuid import UUID

import psycopg

from finbert_api.domain.caller import BOOTSTRAP_KEY_ID
from finbert_api.domain.identifiers import created_at
from finbert_api.domain.progress import Progress
from finbert_api.domain.sentiment import Label

STEADY_KEY_ID = UUID(int=1)  # calls from the first day to the last
# A key and a label that the newest tenth of the table lacks. PostgreSQL's statistics can't tell it, and a page must not
# search that tenth for their rows.
DORMANT_KEY_ID = UUID(int=2)
DORMANT_LABEL = Label.NEGATIVE
STEADY_LABEL = Label.POSITIVE

_LABEL_SHARES = {Label.POSITIVE: 0.27, Label.NEGATIVE: 0.17, Label.NEUTRAL: 0.56}
_NEWEST_LABEL_SHARES = {Label.POSITIVE: 0.4, Label.NEUTRAL: 0.6}
_COLUMNS = (
    "request_id, key_id, text, source, label, score_positive, score_negative, score_neutral, "
    "model_version, latency_ms, token_count, truncated, created_at"
)
# What people say of one prediction in twenty: mostly what the model said.
_FEEDBACK = """
    INSERT INTO prediction_feedback (request_id, key_id, label, created_at)
    SELECT request_id, key_id,
        CASE WHEN get_byte(uuid_send(request_id), 14) < 200 THEN label ELSE 'neutral' END, created_at
    FROM predictions WHERE get_byte(uuid_send(request_id), 15) < 13
"""
_SEED = 20261121
NEWEST = datetime(2026, 11, 21, tzinfo=UTC)
_MEAN_GAP_MS = 30_000  # a million rows are a year
# The counts are kept in as many shards; consecutive connections fill different ones, as a live service's do.
_CONNECTIONS = 16

_COMPANIES = ("Nordhavn Shipping", "Calder Biotech", "Pinewood Retail Group", "Astra Mobility", "Helix Semiconductors")
_EVENTS = {
    Label.POSITIVE: "raised its outlook after operating profit climbed to",
    Label.NEGATIVE: "cut its outlook after operating profit slumped to",
    Label.NEUTRAL: "published its interim report with operating profit of",
}
_CLAUSES = (
    "it said on Thursday",
    "according to its chief financial officer",
    "while the board left the proposed dividend as it was",
)

Row = tuple[UUID, UUID, str, str, Label, Decimal, Decimal, Decimal, str, float, int, bool, datetime]


def seed(url: str, rows: int, progress: Progress) -> None:
    """Fills the migrated, empty database at `url` with `rows` predictions, the same at every run.

    Ids are UUIDv7 over time in the order of insertion. Afterwards the table is vacuumed and analysed, which autovacuum
    would otherwise do in the middle of a measurement.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        for key_id, name in ((STEADY_KEY_ID, "steady"), (DORMANT_KEY_ID, "dormant")):
            connection.execute(
                "INSERT INTO api_keys (key_id, name, role, digest, created_at) VALUES (%s, %s, 'client', %s, now())",
                [key_id, name, key_id.bytes],
            )
    everything = iter(progress(_predictions(rows), total=rows, desc=f"COPY {rows:,} rows"))
    while chunk := list(islice(everything, -(-rows // _CONNECTIONS))):
        _copy(url, chunk)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_FEEDBACK)
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def _copy(url: str, rows: Iterable[Row]) -> None:
    statement = f"COPY predictions ({_COLUMNS}) FROM STDIN"
    with psycopg.connect(url) as connection, connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def _predictions(rows: int) -> Iterator[Row]:
    chance = random.Random(_SEED)  # noqa: S311 - texts and scores, no secrets
    milliseconds = int(NEWEST.timestamp() * 1000) - rows * _MEAN_GAP_MS
    for index in range(rows):
        # At least 1 ms apart: the order of the ids is the order of the rows.
        milliseconds += chance.randint(1, 2 * _MEAN_GAP_MS - 1)
        request_id = _uuid7(milliseconds, chance)
        is_newest = index >= rows * 9 // 10
        shares = _NEWEST_LABEL_SHARES if is_newest else _LABEL_SHARES
        (label,) = chance.choices(list(shares), list(shares.values()))
        text = (
            f"{chance.choice(_COMPANIES)} {_EVENTS[label]} EUR {chance.uniform(1, 900):.1f} million "
            f"after EUR {chance.uniform(1, 900):.1f} million a year earlier, {chance.choice(_CLAUSES)}."
        )
        scores = _scores(label, chance)
        yield (
            request_id,
            chance.choice((STEADY_KEY_ID, BOOTSTRAP_KEY_ID if is_newest else DORMANT_KEY_ID)),
            text,
            chance.choice(("news", "filings", "calls")),
            label,
            scores[Label.POSITIVE],
            scores[Label.NEGATIVE],
            scores[Label.NEUTRAL],
            # The newer version answers more and more of them.
            "compact-1.1.0" if chance.random() < index / rows else "compact-1.0.0",
            round(chance.lognormvariate(2.3, 0.8), 1),
            len(text) // 4,
            False,
            created_at(request_id),
        )


def _uuid7(milliseconds: int, chance: random.Random) -> UUID:
    """RFC 9562, section 5.7: 48 bits of Unix time, the version, 12 random bits, the variant, 62 random bits."""
    return UUID(int=milliseconds << 80 | 7 << 76 | chance.getrandbits(12) << 64 | 2 << 62 | chance.getrandbits(62))


def _scores(label: Label, chance: random.Random) -> dict[Label, Decimal]:
    """Three scores of four decimals that sum to 1, the label's above one half."""
    top = chance.randint(5_001, 9_900)
    second = chance.randint(0, 10_000 - top)
    others = [each for each in Label if each is not label]
    parts = dict(zip((label, *others), (top, second, 10_000 - top - second), strict=True))
    return {each: Decimal(part).scaleb(-4) for each, part in parts.items()}
