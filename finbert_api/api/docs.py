"""The OpenAPI document and two pages that show it, from files of this machine alone."""

from importlib.resources import files

from flask import Blueprint, Response, current_app, render_template, send_from_directory
from werkzeug.sansio.response import Response as SansIOResponse

from finbert_api.api.container import container

blueprint = Blueprint(
    "docs", __name__, static_folder="static", static_url_path="/docs/static", template_folder="templates"
)

SWAGGER_UI = str(files("flask_swagger_ui") / "dist")

# Both pages style themselves with inline styles and data images; Redoc searches in a worker of its own making.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'none'"
)


@blueprint.get("/openapi.json")
def openapi() -> SansIOResponse:
    """The OpenAPI document of everything this service answers."""
    return current_app.json.response(container().openapi.to_dict())


@blueprint.get("/docs")
def swagger() -> Response:
    """Swagger UI: read the API and try it."""
    return _page("docs.html")


@blueprint.get("/redoc")
def redoc() -> Response:
    """Redoc: read the API."""
    return _page("redoc.html")


@blueprint.get("/docs/swagger/<path:name>")
def swagger_asset(name: str) -> Response:
    """A file of Swagger UI."""
    return send_from_directory(SWAGGER_UI, name, max_age=3600)


def _page(template: str) -> Response:
    response = Response(
        render_template(template, title=container().openapi.title), content_type="text/html; charset=utf-8"
    )
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response
