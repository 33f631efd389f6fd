"""How request bodies and queries become values: strictly, with the status that fits each fault."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NoReturn, TypeVar

import marshmallow
from flask import Request, abort
from flask_smorest import Blueprint
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import HTTPException

# The longest valid body of most routes: 2,000 characters of text and 100 of source, each as an escaped surrogate pair
# of 12 bytes, with room for names and white space. A schema with longer ones says so in `largest_body_bytes`.
LARGEST_BODY_BYTES = 32 * 1024

_View = TypeVar("_View", bound=Callable[..., Any])


class StrictParser(FlaskParser):
    """Webargs' parser, with unknown query parameters refused, 415 for a body of another type, 400 for broken JSON."""

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": marshmallow.RAISE}  # noqa: RUF012 - webargs' own attribute

    def load_json(self, req: Request, schema: marshmallow.Schema) -> Any:
        """The body as JSON values."""
        if req.mimetype != "application/json" or req.content_encoding:
            abort(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, description="The body must be plain application/json")
        largest = getattr(schema, "largest_body_bytes", LARGEST_BODY_BYTES)
        # One more than is accepted: Werkzeug cuts a chunked body there without a word.
        req.max_content_length = largest + 1
        body = _read_body(req)
        if len(body) > largest:
            abort(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        try:
            return json_values(body)
        except ValueError:
            abort(HTTPStatus.BAD_REQUEST, description="The body is not valid JSON in UTF-8")


class StrictBlueprint(Blueprint):
    """A blueprint whose arguments are parsed strictly, and whose documentation costs a request nothing."""

    ARGUMENTS_PARSER = StrictParser()

    def arguments(self, schema: type[marshmallow.Schema], **options: Any) -> Callable[[_View], _View]:
        """Parses the arguments of a view with this schema, made once and not for each request."""
        decorate: Callable[[_View], _View] = super().arguments(schema(), **options)
        return decorate

    def alt_response(self, *arguments: Any, **options: Any) -> Callable[[_View], _View]:
        """Documents another response of a view, without a call around it."""
        decorate = super().alt_response(*arguments, **options)

        def document(view: _View) -> _View:
            view._apidoc = decorate(view)._apidoc  # type: ignore[attr-defined]  # noqa: SLF001 - where flask-smorest keeps it
            return view

        return document


def json_values(body: bytes) -> Any:
    """What a body says. Raises ValueError when it is not JSON in UTF-8, or has a number too long for Python."""
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError as error:  # nesting too deep for the parser is a fault of the body too
        raise ValueError("nested too deeply") from error


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _read_body(req: Request) -> bytes:
    try:
        return req.get_data(cache=True)
    except HTTPException:
        raise
    except Exception:  # noqa: BLE001 - the server's own errors for broken chunks share no base, and quote the body
        abort(HTTPStatus.BAD_REQUEST, description="The body could not be read to its end")
