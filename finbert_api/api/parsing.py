"""How request bodies and queries become values: strictly, with the status that fits each fault."""

import json
from http import HTTPStatus
from typing import Any, NoReturn

import marshmallow
from flask import Request, abort
from flask_smorest import Blueprint
from webargs.flaskparser import FlaskParser


class StrictParser(FlaskParser):
    """Webargs' parser, with unknown query parameters refused, 415 for a body of another type, 400 for broken JSON."""

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": marshmallow.RAISE}  # noqa: RUF012 - webargs' own attribute

    def load_json(self, req: Request, schema: marshmallow.Schema) -> Any:
        """The body as JSON values."""
        if not req.is_json:
            abort(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, description="The body must be application/json")
        body = req.get_data(cache=True)
        if req.content_length is None and len(body) == req.max_content_length:
            # Werkzeug cuts a chunked body at the limit without a word.
            abort(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        try:
            return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
        # Nesting too deep for the parser and numbers too long for Python are faults of the body too.
        except (ValueError, RecursionError):
            abort(HTTPStatus.BAD_REQUEST, description="The body is not valid JSON in UTF-8")


class StrictBlueprint(Blueprint):
    """A blueprint whose arguments are parsed strictly."""

    ARGUMENTS_PARSER = StrictParser()


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
