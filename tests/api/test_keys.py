"""Keys over HTTP: for admins alone, shown once, ended at once."""

import re
from uuid import UUID

import pytest
from support import ADMIN_KEY

from finbert_api.domain.caller import BOOTSTRAP_KEY_ID

KEYS = "/api/v1/keys"
PREDICTIONS = "/api/v1/predictions"


def create(client, admin, **fields):
    response = client.post(KEYS, json={"name": "newsroom"} | fields, headers=admin)
    assert response.status_code == 201, response.text
    return response.json


def test_a_key_is_shown_once_and_works(client, app, admin):
    made = create(client, admin)
    assert set(made) == {"key_id", "name", "role", "tier", "created_at", "last_used_at", "revoked_at", "key"}
    assert (made["name"], made["role"], made["tier"]) == ("newsroom", "client", "standard")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", made["created_at"])
    assert client.get(PREDICTIONS, headers={"X-API-Key": made["key"]}).status_code == 200
    listed = client.get(KEYS, headers=admin)
    assert made["key"] not in listed.text
    assert listed.json["items"][0] == {name: value for name, value in made.items() if name != "key"}


def test_a_key_has_the_role_and_tier_it_was_made_with(client, app, admin):
    made = create(client, admin, name="desk", role="admin", tier="premium")
    assert (made["role"], made["tier"]) == ("admin", "premium")
    other_admin = {"X-API-Key": made["key"]}
    assert client.get(KEYS, headers=other_admin).status_code == 200
    with app.app_context():
        assert app.extensions["finbert"].api_keys.authenticate(made["key"]).tier == "premium"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": None}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "x", "role": "root"}, "role"),
        ({"name": "x", "role": None}, "role"),
        ({"name": "x", "tier": "gold"}, "tier"),
        ({"name": "x", "digest": "00"}, "digest"),
    ],
)
def test_a_faulty_key_is_refused_by_field(client, app, admin, body, field):
    response = client.post(KEYS, json=body, headers=admin)
    assert response.status_code == 422
    assert list(response.json["errors"]) == [field]


def test_no_client_may_do_anything_with_keys(client, app, make_client_key):
    headers, key_id = make_client_key()
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith(KEYS)]
    calls = {(method, rule.rule) for rule in rules for method in rule.methods - {"OPTIONS", "HEAD"}}
    assert len(calls) >= 3
    for method, path in calls:
        response = client.open(path.replace("<uuid:key_id>", str(key_id)), method=method, headers=headers, json={})
        assert response.status_code == 403, f"{method} {path}"
        assert response.content_type == "application/problem+json"
    assert client.get(PREDICTIONS, headers=headers).status_code == 200


def test_a_revoked_key_is_refused_at_once_and_stays_in_the_list(client, app, admin):
    made = create(client, admin)
    headers = {"X-API-Key": made["key"]}
    assert client.get(PREDICTIONS, headers=headers).status_code == 200
    path = f"{KEYS}/{made['key_id']}"
    response = client.delete(path, headers=admin)
    assert (response.status_code, response.data) == (204, b"")
    assert "Content-Type" not in response.headers
    assert client.get(PREDICTIONS, headers=headers).status_code == 401
    [listed] = [key for key in client.get(KEYS, headers=admin).json["items"] if key["key_id"] == made["key_id"]]
    assert listed["revoked_at"] is not None
    assert client.delete(path, headers=admin).status_code == 404


@pytest.mark.parametrize("key_id", [UUID(int=7), BOOTSTRAP_KEY_ID])
def test_what_can_not_be_revoked_is_not_found(client, app, admin, key_id):
    response = client.delete(f"{KEYS}/{key_id}", headers=admin)
    assert response.status_code == 404
    assert "API_KEY" in response.json["detail"]
    assert client.get(KEYS, headers=admin).status_code == 200


def test_pages_hold_every_key_once_newest_first(client, app, admin):
    made = [create(client, admin, name=f"key {number}")["key_id"] for number in range(5)]
    found, cursor = [], None
    while True:
        page = client.get(KEYS, query_string={"limit": 2} | ({"cursor": cursor} if cursor else {}), headers=admin).json
        found += [key["key_id"] for key in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == [*made[::-1], str(BOOTSTRAP_KEY_ID)]


def test_the_bootstrap_key_shows_no_secret(client, app, admin):
    assert ADMIN_KEY not in client.get(KEYS, headers=admin).text
