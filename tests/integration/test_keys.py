"""API keys: the command line, the table, the checks."""

import hashlib
from dataclasses import replace
from uuid import UUID

import psycopg
import pytest
from support import finbert, running

from finbert_api.domain.caller import BOOTSTRAP_KEY_ID, Role
from finbert_api.domain.errors import KeyNotFound, StorageUnavailable, Unauthenticated
from finbert_api.extensions import db
from finbert_api.services import api_keys
from finbert_api.services.api_keys import ApiKeyService, secret_digest
from finbert_api.storage.api_keys import ApiKeyStore


@pytest.fixture
def keys(app):
    with app.app_context():
        yield ApiKeyService(ApiKeyStore(), "the bootstrap secret")


def test_a_secret_is_shown_once_and_stored_as_its_digest_alone(keys, database_url):
    key, secret = keys.create("ann", Role.CLIENT)
    assert secret.startswith("fb_")
    assert len(secret) >= 40
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT * FROM api_keys WHERE key_id = %s", [key.key_id]).fetchone()
    assert hashlib.sha256(secret.encode()).digest() in row
    assert secret not in map(str, row)


def test_a_key_is_its_caller_until_it_is_revoked(keys):
    key, secret = keys.create("ann", Role.CLIENT)
    assert keys.authenticate(secret).key_id == key.key_id
    assert keys.authenticate(secret).role is Role.CLIENT
    keys.revoke(key.key_id)
    with pytest.raises(Unauthenticated):
        keys.authenticate(secret)
    with pytest.raises(KeyNotFound):
        keys.revoke(key.key_id)


@pytest.mark.parametrize("secret", [None, "", "x", "the bootstrap secret ", "fb_" + "a" * 43])
def test_unknown_secrets_are_refused(keys, secret):
    with pytest.raises(Unauthenticated):
        keys.authenticate(secret)


def test_the_bootstrap_key_is_the_setting_and_can_not_be_revoked(keys):
    caller = keys.authenticate("the bootstrap secret")
    assert (caller.key_id, caller.role) == (BOOTSTRAP_KEY_ID, Role.ADMIN)
    with pytest.raises(KeyNotFound):
        keys.revoke(BOOTSTRAP_KEY_ID)
    with pytest.raises(Unauthenticated):
        ApiKeyService(ApiKeyStore(), None).authenticate("the bootstrap secret")


@pytest.fixture
def forgetful(monkeypatch):
    """As if the time for which a confirmed key needs no other check had passed, at each request."""
    monkeypatch.setattr(api_keys, "CONFIRMED_SECONDS", 0.0)


def revoke_elsewhere(database_url, key):
    """Revokes a key as another process does."""
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE api_keys SET revoked_at = now() WHERE key_id = %s", [key.key_id])


def test_a_confirmed_key_is_not_asked_for_at_each_request(keys, database_url, monkeypatch):
    key, secret = keys.create("ann", Role.CLIENT)
    caller = keys.authenticate(secret)
    revoke_elsewhere(database_url, key)
    assert keys.authenticate(secret) == caller
    monkeypatch.setattr(api_keys, "CONFIRMED_SECONDS", 0.0)
    with pytest.raises(Unauthenticated):
        keys.authenticate(secret)


def test_a_key_revoked_while_it_is_looked_up_is_not_remembered(app):
    class RevokedMeanwhile(ApiKeyStore):
        def find(self, digest):
            found = super().find(digest)
            if found:
                keys.revoke(found.key_id)
            return found

    with app.app_context():
        keys = ApiKeyService(RevokedMeanwhile(), None)
        _, secret = keys.create("ann", Role.CLIENT)
        keys.authenticate(secret)
        with pytest.raises(Unauthenticated):
            keys.authenticate(secret)


def test_unknown_keys_are_not_remembered(keys):
    secrets = [f"unknown {number}" for number in range(20)]
    for secret in secrets:
        with pytest.raises(Unauthenticated):
            keys.authenticate(secret)
    key, _ = keys.create("ann", Role.CLIENT)
    ApiKeyStore().add(replace(key, key_id=UUID(int=7)), secret_digest(secrets[0]))
    assert keys.authenticate(secrets[0]).key_id == UUID(int=7)
    assert len(keys._confirmed) == 1


def test_the_longest_confirmed_key_is_forgotten_when_there_are_too_many(keys, monkeypatch):
    monkeypatch.setattr(api_keys, "REMEMBERED_KEYS", 2)
    made = [keys.create(f"client {number}", Role.CLIENT)[1] for number in range(3)]
    for secret in made:
        keys.authenticate(secret)
    assert list(keys._confirmed) == [secret_digest(secret) for secret in made[1:]]


@pytest.mark.usefixtures("forgetful")
def test_a_key_that_was_confirmed_survives_an_outage_and_no_other_does(keys, settings, engine):
    _, known = keys.create("ann", Role.CLIENT)
    revoked_key, revoked = keys.create("eve", Role.CLIENT)
    caller = keys.authenticate(known)
    keys.authenticate(revoked)
    keys.revoke(revoked_key.key_id)
    with pytest.raises(Unauthenticated):
        keys.authenticate(revoked)

    db.session.remove()
    elsewhere = replace(settings, database_url="postgresql+psycopg://nobody@127.0.0.1:1/none")
    with running(elsewhere, engine) as away, away.app_context():
        assert keys.authenticate(known) == caller
        for secret in (revoked, "never seen"):
            with pytest.raises(StorageUnavailable):
                keys.authenticate(secret)


def test_the_command_line_creates_lists_and_revokes(migrated_database):
    url = migrated_database()
    created = finbert("keys", "create", "ann", "--role", "admin", "--tier", "premium", DATABASE_URL=url)
    secret = created.stdout.strip()
    assert secret.startswith("fb_")
    listed = finbert("keys", "list", DATABASE_URL=url).stdout
    assert secret not in listed
    [line] = [line for line in listed.splitlines() if line.endswith("ann")]
    key_id = UUID(line.split()[0])
    assert "admin" in line
    assert "premium" in line
    assert "never used" in line
    assert "active" in line
    assert finbert("keys", "revoke", str(key_id), DATABASE_URL=url).returncode == 0
    assert "revoked" in finbert("keys", "list", DATABASE_URL=url).stdout
    again = finbert("keys", "revoke", str(key_id), DATABASE_URL=url)
    assert again.returncode == 1
    assert again.stderr.startswith("Error: No active key")


def test_a_bad_call_is_one_line(fresh_database):
    assert finbert("keys", "revoke", "x", DATABASE_URL=fresh_database()).stderr.splitlines()[-1].startswith("Error: ")
    nameless = finbert("keys", "create", "x" * 101)
    assert (nameless.returncode, nameless.stderr.count("\n")) == (1, 1)
    unmigrated = finbert("keys", "list", DATABASE_URL=fresh_database())
    assert unmigrated.returncode == 1
    assert "Traceback" not in unmigrated.stderr
