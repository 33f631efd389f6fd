import re

import pytest


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
