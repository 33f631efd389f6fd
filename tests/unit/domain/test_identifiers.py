from datetime import UTC, datetime, timedelta
from uuid import UUID

from finbert_api.domain.identifiers import created_at, new_request_id


def test_ids_are_version_seven_and_grow():
    ids = [new_request_id() for _ in range(10_000)]
    assert all(request_id.version == 7 for request_id in ids)
    assert ids == sorted(set(ids))


def test_an_id_carries_the_moment_it_was_made():
    assert abs(datetime.now(UTC) - created_at(new_request_id())) < timedelta(seconds=5)
    assert created_at(UUID("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")) == datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
