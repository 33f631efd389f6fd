"""What the OpenAPI document promises: it is valid, complete, and its examples are true."""

import json
import re
from uuid import UUID

import pytest
from described import faults, operations, parameters, resolved
from openapi_spec_validator import OpenAPIV31SpecValidator
from werkzeug.http import HTTP_STATUS_CODES

from finbert_api.api.fields import UtcMilliseconds
from finbert_api.domain.identifiers import created_at

OF_THE_MOMENT = {"request_id", "created_at", "latency_ms"}


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json


def described_values(document):
    """The name, description and schema of every field, parameter and header there is."""
    for name, schema in document["components"]["schemas"].items():
        for field, value in schema.get("properties", {}).items():
            yield f"{name}.{field}", value.get("description"), value
    for method, path, operation in operations(document):
        for parameter in parameters(document, path, operation):
            yield f"{method} {path} {parameter['name']}", parameter.get("description"), parameter["schema"] | parameter
        for status, response in operation["responses"].items():
            for header, value in resolved(document, response).get("headers", {}).items():
                found = resolved(document, value)
                yield f"{method} {path} {status} {header}", found.get("description"), found["schema"]


def examples_of(value):
    return [value["example"]] if "example" in value else value.get("examples", [])


def leads_elsewhere(value):
    """Whether a value is described by the schemas that it refers to."""
    return '"$ref"' in json.dumps(value)


def test_it_is_valid_openapi_3_1(document):
    assert document["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(document).validate()


def test_it_describes_every_route(app, document):
    described = {(method.upper(), path) for method, path, _ in operations(document)}
    routes = {
        (method, re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.startswith("docs.")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert described == routes


def test_it_asks_for_a_key_or_a_token_where_the_service_does(document):
    assert document["security"] == [{"ApiKey": []}, {"Bearer": []}]
    schemes = document["components"]["securitySchemes"]
    assert schemes["ApiKey"]["name"] == "X-API-Key"
    assert (schemes["Bearer"]["type"], schemes["Bearer"]["scheme"]) == ("http", "bearer")
    open_paths = {path for _, path, operation in operations(document) if operation.get("security") == []}
    assert open_paths == {"/health", "/ready", "/metrics"}


def test_it_can_be_used_where_it_was_found(document):
    assert [server["url"] for server in document["servers"]] == ["/"]


def test_every_operation_has_a_name_a_summary_and_a_described_tag(document):
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert all(tags.values())
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    for method, path, operation in operations(document):
        assert operation["summary"], f"{method} {path}"
        assert set(operation["tags"]) <= set(tags), f"{method} {path}"
    assert {tag for _, _, operation in operations(document) for tag in operation["tags"]} == set(tags)


def test_every_field_parameter_and_header_is_described_with_an_example(document):
    bare = {
        name
        for name, description, value in described_values(document)
        if not description or not (leads_elsewhere(value) or examples_of(value))
    }
    assert bare == set()


def test_every_example_is_one_of_its_schema(document):
    checked = 0
    for name, _, value in described_values(document):
        for example in examples_of(value):
            assert faults(document, value, example) == [], name
            checked += 1
    assert checked > 30


def test_every_error_is_problem_details_with_an_example_of_its_own(document):
    problem = document["components"]["schemas"]["Problem"]
    for method, path, operation in operations(document):
        for status, listed in operation["responses"].items():
            if int(status) < 400 or (path, status) == ("/ready", "503"):
                continue
            response = resolved(document, listed)
            assert list(response["content"]) == ["application/problem+json"], f"{method} {path} {status}"
            example = response["content"]["application/problem+json"]["example"]
            assert faults(document, problem, example) == []
            assert (example["status"], example["title"]) == (int(status), HTTP_STATUS_CODES[int(status)])
            assert ("errors" in example) == (status == "422")


def test_every_operation_lists_the_errors_that_all_of_its_kind_can_meet(document):
    for method, path, operation in operations(document):
        expected = {"500"}
        expected |= {"401", "503"} if path.startswith("/api/v1/") else set()
        expected |= {"400", "413", "415", "422"} if "requestBody" in operation else set()
        expected |= {"404"} if "{" in path else set()
        expected |= {"422"} if any(it["in"] == "query" for it in operation.get("parameters", [])) else set()
        assert expected <= set(operation["responses"]), f"{method} {path}"
        assert list(operation["responses"]) == sorted(operation["responses"]), f"{method} {path}"


def test_every_link_leads_to_an_operation_with_that_parameter(document):
    by_name = {operation["operationId"]: path for _, path, operation in operations(document)}
    links = [
        link
        for _, _, operation in operations(document)
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]
    assert links
    for link in links:
        assert all(f"{{{name}}}" in by_name[link["operationId"]] for name in link["parameters"])


def is_shown_by(document, schema, value):
    """Whether a value is the one that the examples of its schema, and of those it refers to, show."""
    schema = resolved(document, schema)
    if "properties" in schema:
        fields = {name: field for name, field in schema["properties"].items() if name not in OF_THE_MOMENT}
        return all(is_shown_by(document, field, value[name]) for name, field in fields.items())
    if schema.get("type") == "array":
        return any(is_shown_by(document, schema["items"], item) for item in value)
    if "examples" not in schema:
        return value in schema["enum"]
    # The last decimal of a score is the processor's.
    return value == (pytest.approx(schema["examples"][0], abs=0.001) if type(value) is float else schema["examples"][0])


@pytest.mark.parametrize("path", ["/api/v1/predict", "/api/v1/analyze", "/api/v1/explain"])
def test_the_examples_of_an_answer_are_what_the_examples_of_its_request_get(client, admin, document, path):
    operation = document["paths"][path]["post"]
    fields = resolved(document, operation["requestBody"]["content"]["application/json"]["schema"])["properties"]
    body = {name: field["examples"][0] for name, field in fields.items()}
    answer = client.post(path, json=body, headers=admin).json
    assert is_shown_by(document, operation["responses"]["200"]["content"]["application/json"]["schema"], answer), answer


def test_the_time_of_the_example_is_the_one_in_its_id(document):
    fields = document["components"]["schemas"]["Prediction"]["properties"]
    at = created_at(UUID(fields["request_id"]["examples"][0]))
    assert fields["created_at"]["examples"] == [UtcMilliseconds().serialize("at", {"at": at})]
