import re

import pytest


def test_the_document_describes_every_route(app, client):
    document = client.get("/openapi.json").json
    described = {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method in methods
        if method != "parameters"
    }
    routes = {
        (method, re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.startswith("docs.")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert described == routes


def test_the_document_asks_for_a_key_where_the_service_does(client):
    document = client.get("/openapi.json").json
    assert document["security"] == [{"ApiKey": []}]
    assert document["components"]["securitySchemes"]["ApiKey"]["name"] == "X-API-Key"
    open_paths = {path for path, item in document["paths"].items() if item.get("get", {}).get("security") == []}
    assert open_paths == {"/health", "/ready", "/metrics"}


def test_every_error_is_documented_as_problem_details(client):
    for response in client.get("/openapi.json").json["components"]["responses"].values():
        assert list(response["content"]) == ["application/problem+json"]


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_the_pages_use_files_of_this_service_alone(client, page):
    html = client.get(page)
    assert html.status_code == 200
    assert html.content_type == "text/html; charset=utf-8"
    references = re.findall(r'(?:src|href|spec-url)="([^"]+)"', html.text)
    assert len(references) >= 3
    for reference in references:
        assert reference.startswith("/")
        with client.get(reference) as asset:
            assert asset.status_code == 200
    assert "unsafe-inline" not in html.headers["Content-Security-Policy"].split("script-src")[1].split(";")[0]


def test_assets_are_served_from_their_folder_alone(client):
    assert client.get("/docs/swagger/../../settings.py").status_code == 404
    assert client.get("/docs/swagger/%2e%2e/__init__.py").status_code == 404
