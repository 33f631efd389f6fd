"""Every route, over real HTTP against gunicorn and PostgreSQL: what it answers, and each error it lists."""

import http.client
import json
from contextlib import closing
from dataclasses import dataclass, field
from types import SimpleNamespace
from uuid import uuid4

import pytest
from described import faults, operations, parameters, resolved
from support import ADMIN, JWT_SECRET, Service

TEXT = "The company beat earnings expectations and raised full-year guidance."
# A body larger than any route takes.
TOO_LARGE = b'{"text": "' + b"x" * 3_000_000 + b'"}'
# What a request alone can't bring about; other tests do: of outages, of overload, of deadlines.
NOT_BY_REQUESTS = {"500", "503", "504"}


@dataclass
class Call:
    """A request: `path` and `body` may name what `Known` has, as {mine}."""

    method: str
    path: str
    body: object = None
    headers: dict = field(default_factory=dict)
    who: str = "client"
    times: int = 1


# For each operation: a request that it grants.
GRANTED = {
    "predict": Call("POST", "/api/v1/predict", {"text": TEXT, "source": "newswire"}, {"Idempotency-Key": '"first"'}),
    "predict_batch": Call("POST", "/api/v1/predict/batch", {"items": [{"text": TEXT}, {"text": " "}]}),
    "analyze": Call("POST", "/api/v1/analyze", {"text": f"{TEXT} Net debt fell."}),
    "explain": Call("POST", "/api/v1/explain", {"text": TEXT}),
    "get_prediction": Call("GET", "/api/v1/predictions/{mine}"),
    "list_predictions": Call("GET", "/api/v1/predictions?limit=1&source=newswire&since=2026-01-01T00:00:00Z"),
    "export_predictions": Call("GET", "/api/v1/predictions/export?label=positive", headers={"Accept": "text/csv"}),
    "give_feedback": Call("POST", "/api/v1/predictions/{mine}/feedback", {"label": "neutral"}),
    "delete_prediction": Call("DELETE", "/api/v1/predictions/{doomed}"),
    "summary": Call("GET", "/api/v1/analytics/summary"),
    "timeseries": Call("GET", "/api/v1/analytics/timeseries?bucket=day"),
    "versions": Call("GET", "/api/v1/analytics/versions"),
    "accuracy": Call("GET", "/api/v1/analytics/accuracy"),
    "create_key": Call("POST", "/api/v1/keys", {"name": "newsroom", "tier": "premium"}, who="admin"),
    "list_keys": Call("GET", "/api/v1/keys?limit=1", who="admin"),
    "revoke_key": Call("DELETE", "/api/v1/keys/{doomed_key}", who="admin"),
    "create_token": Call("POST", "/api/v1/auth/token"),
    "health": Call("GET", "/health", who="nobody"),
    "ready": Call("GET", "/ready", who="nobody"),
    "metrics": Call("GET", "/metrics", who="nobody"),
}

# For each operation: requests that it refuses, by the status, beside those that all of its kind refuse.
REFUSED = {
    "metrics": {"404": None},
    "predict": {
        "409": Call("POST", "/api/v1/predict", {"text": "Sales fell."}, {"Idempotency-Key": '"used"'}),
        "422": Call("POST", "/api/v1/predict", {"text": " "}),
        "429": Call("POST", "/api/v1/predict", {"text": TEXT}, who="busy", times=13),
    },
    "predict_batch": {"429": Call("POST", "/api/v1/predict/batch", {"items": [{"text": TEXT}]}, who="busy", times=13)},
    "analyze": {"429": Call("POST", "/api/v1/analyze", {"text": TEXT}, who="busy", times=13)},
    "explain": {"429": Call("POST", "/api/v1/explain", {"text": "Up."}, who="busy", times=13)},
    "export_predictions": {"406": Call("GET", "/api/v1/predictions/export", headers={"Accept": "application/xml"})},
    **{
        name: {"429": Call("GET", f"/api/v1/analytics/{name}", who="busy", times=13)}
        for name in ("summary", "timeseries", "versions", "accuracy")
    },
    "list_keys": {"403": Call("GET", "/api/v1/keys")},
    "create_key": {"403": Call("POST", "/api/v1/keys", {"name": "mine"})},
    "revoke_key": {"403": Call("DELETE", "/api/v1/keys/{doomed_key}")},
    "create_token": {"403": Call("POST", "/api/v1/auth/token", who="token"), "404": None},
}


@pytest.fixture(scope="module")
def live(database_url, tmp_path_factory):
    """A running service in which every rate is twelve a minute for a standard key."""
    limits = dict.fromkeys(("RATE_LIMIT_PREDICT", "RATE_LIMIT_BATCH", "RATE_LIMIT_ANALYTICS"), "12/minute")
    service = Service(
        tmp_path_factory.mktemp("every-route") / "data", DATABASE_URL=database_url, JWT_SECRET=JWT_SECRET, **limits
    )
    yield service.wait_until_ready()
    service.stop()


@pytest.fixture(scope="module")
def document(live):
    return live.request("GET", "/openapi.json")[2]


@pytest.fixture
def known(live):
    """Keys of this test alone, with a prediction and what else requests name."""

    def key(tier="standard"):
        status, _, made = live.request("POST", "/api/v1/keys", {"name": "every route", "tier": tier})
        assert status == 201
        return made["key_id"], {"X-API-Key": made["key"]}

    def predicted(headers):
        return live.request("POST", "/api/v1/predict", {"text": TEXT, "source": "newswire"}, headers)[2]["request_id"]

    _, client = key("premium")
    status, _, token = live.request("POST", "/api/v1/auth/token", headers=client)
    assert status == 200
    used = client | {"Idempotency-Key": '"used"'}
    assert live.request("POST", "/api/v1/predict", {"text": TEXT}, used)[0] == 200
    return SimpleNamespace(
        headers={
            "client": client,
            "busy": key()[1],
            "admin": ADMIN,
            "nobody": {},
            "token": {"Authorization": f"Bearer {token['access_token']}"},
            "stranger": {"X-API-Key": "fb_unknown"},
            "forger": {"Authorization": "Bearer a.b.c"},
        },
        ids={
            "mine": predicted(client),
            "doomed": predicted(client),
            "theirs": predicted(key()[1]),
            "doomed_key": key()[0],
            "nothing": str(uuid4()),
        },
    )


@pytest.fixture
def send(live, known, document):
    """Sends a call as often as it says; gives the last answer, which has to be one that the operation lists."""
    listed = {operation["operationId"]: operation["responses"] for _, _, operation in operations(document)}

    def send(name, call):
        headers = known.headers[call.who] | call.headers
        body = call.body
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body)
        if body is not None:
            headers = {"Content-Type": "application/json"} | headers
        with closing(http.client.HTTPConnection("127.0.0.1", live.port, timeout=30)) as connection:
            for _ in range(call.times):
                connection.request(call.method, call.path.format(**known.ids), body, headers)
                answer = connection.getresponse()
                content = answer.read()
        described = f"{call.method} {call.path} as {call.who}: {answer.status} {content[:300]}"
        assert str(answer.status) in listed[name], described
        response = resolved(document, listed[name][str(answer.status)])
        for header, value in response["headers"].items():
            if header in answer.headers:
                schema = resolved(document, value)["schema"]
                text = answer.headers[header]
                assert faults(document, schema, int(text) if schema["type"] == "integer" else text) == [], header
        assert answer.headers["X-Request-ID"], described
        if not response.get("content"):
            assert content == b"", described
            return answer, None
        kind = answer.headers["Content-Type"].partition(";")[0]
        assert kind in response["content"], described
        value = json.loads(content) if kind.endswith(("/json", "+json")) else content.decode()
        assert faults(document, response["content"][kind]["schema"], value) == [], described
        return answer, value

    return send


def refusals(method, path, operation, document):
    """The requests that all operations of a kind refuse, by the status."""
    granted = GRANTED[operation["operationId"]]
    sent = {"method": method.upper(), "path": granted.path, "who": granted.who}
    if operation.get("security") != []:
        for who in ("nobody", "stranger", "forger"):
            yield "401", Call(**sent | {"who": who}, body=granted.body)
    if "requestBody" in operation:
        yield "400", Call(**sent, body=b"{")
        yield "400", Call(**sent, body=b'{"text": NaN}')
        yield "413", Call(**sent, body=TOO_LARGE)
        yield "415", Call(**sent, body=b"text=x", headers={"Content-Type": "application/x-www-form-urlencoded"})
        yield "422", Call(**sent, body={})
        yield "422", Call(**sent, body=[])
        yield "422", Call(**sent, body=granted.body | {"surprise": 1})
    if any(parameter["in"] == "query" for parameter in parameters(document, path, operation)):
        yield "422", Call(**sent | {"path": granted.path.partition("?")[0] + "?surprise=1"})
    if "{" in path:
        for name in ("nothing", "theirs"):
            ids = granted.path.replace("{mine}", f"{{{name}}}").replace("{doomed}", f"{{{name}}}")
            yield "404", Call(**sent | {"path": ids.replace("{doomed_key}", f"{{{name}}}")}, body=granted.body)


def test_every_route_grants_what_it_is_for(document, send):
    assert set(GRANTED) == {operation["operationId"] for _, _, operation in operations(document)}
    for name, call in GRANTED.items():
        answer, _ = send(name, call)
        assert answer.status < 300, f"{name}: {answer.status}"


def test_every_error_that_a_route_lists_is_one_that_it_gives(document, send):
    details = {}
    for method, path, operation in operations(document):
        name = operation["operationId"]
        given = set()
        for status, call in [*refusals(method, path, operation, document), *REFUSED.get(name, {}).items()]:
            given.add(status)
            if call is None:  # by another configuration: tests/api/test_tokens.py, tests/integration/test_cloudwatch.py
                continue
            answer, problem = send(name, call)
            assert str(answer.status) == status, f"{call.method} {call.path} as {call.who}: {answer.status} {problem}"
            details.setdefault(status, set()).add(problem["detail"])
        listed = {status for status in operation["responses"] if int(status) >= 400}
        assert given == listed - NOT_BY_REQUESTS, name
    for name, response in document["components"]["responses"].items():
        example = response["content"]["application/problem+json"]["example"]
        if str(example["status"]) not in NOT_BY_REQUESTS | {"429"}:
            assert example["detail"] in details[str(example["status"])], name


def test_a_refused_method_is_told_which_are_not(document, live):
    for path, item in document["paths"].items():
        status, headers, problem = live.request("PATCH", path.replace("{", "").replace("}", ""))
        if "{" in path:  # no id, no route
            assert status == 404
            continue
        assert (status, problem["title"]) == (405, "Method Not Allowed"), path
        assert {method.upper() for method in item if method != "parameters"} <= set(headers["Allow"].split(", "))


def test_a_path_that_no_route_has_is_not_found(live):
    for path in ("/api/v1/nothing", "/api/v2/predict", "/api/v1/predict/", "/api/v1/predictions/not-an-id"):
        status, headers, problem = live.request("GET", path)
        assert (status, headers["Content-Type"], problem["status"]) == (404, "application/problem+json", 404), path
