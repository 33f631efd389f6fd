import http.client

import psycopg
import pytest
from support import ADMIN

COPIES = """
    INSERT INTO predictions SELECT
        lpad(to_hex(i), 32, '0')::uuid, key_id, repeat('🚀', 2000), source, label,
        score_positive, score_negative, score_neutral,
        model_version, latency_ms, token_count, truncated, created_at
    FROM predictions, generate_series(1, 6000) AS i
"""


def test_an_export_that_breaks_off_does_not_look_like_one_that_ended(start_service, migrated_database):
    url = migrated_database()
    service = start_service(DATABASE_URL=url).wait_until_ready()
    assert service.request("POST", "/api/v1/predict", {"text": "Profit rose."})[0] == 200
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    with psycopg.connect(url, autocommit=True) as database:
        database.execute(COPIES)
        connection.request("GET", "/api/v1/predictions/export", headers=ADMIN)
        answer = connection.getresponse()
        assert answer.status == 200
        assert len(answer.read(1000)) == 1000
        # Much more than a connection's buffers hold is still to be read.
        database.execute("ALTER TABLE predictions RENAME TO away")
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    connection.close()
    assert "🚀" not in service.output()
