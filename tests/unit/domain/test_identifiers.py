from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from finbert_api.domain.identifiers import created_at, first_request_id, new_request_id


def test_ids_are_version_seven_and_grow():
    ids = [new_request_id() for _ in range(10_000)]
    assert all(request_id.version == 7 for request_id in ids)
    assert ids == sorted(set(ids))


def test_an_id_carries_the_moment_it_was_made():
    assert abs(datetime.now(UTC) - created_at(new_request_id())) < timedelta(seconds=5)
    assert created_at(UUID("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")) == datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)


# Hypothesis takes bounds without a zone.
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - see above
AROUND = st.integers(0, 2**128 - 1).map(lambda value: UUID(int=value >> 2))


@given(MOMENTS, AROUND)
def test_the_first_id_of_a_moment_parts_ids_as_their_moments_are_parted(moment, request_id):
    first = first_request_id(moment)
    at_it = UUID(int=first.int | 2**80 - 1)
    before = UUID(int=max(0, first.int - 1))
    assert created_at(at_it) >= moment
    assert created_at(before) < moment or first.int == 0
    if request_id.int >> 80 < 2**47:
        assert (request_id >= first) == (created_at(request_id) >= moment)


def test_before_1970_there_is_no_id_and_none_is_left_out():
    assert first_request_id(datetime(1, 1, 1, tzinfo=UTC)) == UUID(int=0)
