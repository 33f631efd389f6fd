"""No route under /api/v1 answers without a key, and nothing else asks for one."""

import re

OPEN = {"/health", "/ready", "/metrics", "/openapi.json", "/docs", "/redoc"}


def test_every_route_asks_for_a_key_but_the_open_ones(app, client):
    rules = [rule for rule in app.url_map.iter_rules() if not rule.rule.startswith("/docs/")]
    guarded = [rule for rule in rules if rule.rule.startswith("/api/v1/")]
    assert len(guarded) >= 3
    assert {rule.rule for rule in rules} - {rule.rule for rule in guarded} == OPEN
    for rule in guarded:
        path = re.sub(r"<[^>]+>", "00000000-0000-0000-0000-000000000000", rule.rule)
        for method in rule.methods:
            assert client.open(path, method=method).status_code == 401, f"{method} {path} is not guarded"
    for path in OPEN:
        assert client.get(path).status_code == 200
