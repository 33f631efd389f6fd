"""What the OpenAPI document says of the service as a whole, and of its operations alike."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from apispec import APISpec, BasePlugin
from werkzeug.exceptions import InternalServerError, RequestEntityTooLarge
from werkzeug.routing import Rule

from finbert_api import __version__
from finbert_api.api.access import KEY_HEADER
from finbert_api.api.lifecycle import REQUEST_ID_HEADER
from finbert_api.api.limits import RATE_OF
from finbert_api.api.problems import PROBLEM_JSON, ProblemSchema, problem_document
from finbert_api.api.schemas.base import EXAMPLE_ID
from finbert_api.api.schemas.batch import BatchErrorSchema
from finbert_api.domain.analytics import Bucket
from finbert_api.domain.caller import Role, Tier
from finbert_api.domain.sentiment import Label

_DESCRIPTION = f"""\
Sentiment of financial texts: positive, negative or neutral, every prediction kept.

**Keys.** Every route under `/api/v1` needs a key in `{KEY_HEADER}`, or a token made with one in
`Authorization: Bearer`. A client's key sees its own predictions, an admin's all.

**Errors** are problem details (RFC 9457, `application/problem+json`): `title` is the status in words, `detail` says
what is wrong, and with 422 `errors` says it by field. Fields and parameters that are not described here are refused.

**Times** are in UTC with milliseconds and `Z`; every answer has its `{REQUEST_ID_HEADER}`, which the log knows too.
"""

# The operations of these blueprints belong together.
_TAGS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "predictions": (
        "Sentiment of texts, and the predictions kept of them",
        ("predictions", "batch", "export", "feedback"),
    ),
    "documents": ("Longer texts by sentence, and what made a prediction what it is; nothing is kept", ("documents",)),
    "analytics": ("Exact figures over many predictions: a client's own, an admin's of every key", ("analytics",)),
    "keys": ("API keys, for admins, and tokens, which stand for a key for some minutes", ("keys", "tokens")),
    "operations": ("Health, readiness and metrics of the service; no key needed", ("operations",)),
}
_TAG_OF = {blueprint: tag for tag, (_, blueprints) in _TAGS.items() for blueprint in blueprints}

OPENAPI = {
    "API_TITLE": "FinBERT API",
    "API_VERSION": __version__,
    "OPENAPI_VERSION": "3.1.0",
    "API_SPEC_OPTIONS": {
        "info": {
            "description": _DESCRIPTION,
        },
        "servers": [{"url": "/", "description": "The service that serves this document"}],
        "components": {
            "securitySchemes": {
                "ApiKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": KEY_HEADER,
                    "description": "A key, as it was shown when `POST /api/v1/keys` or `finbert keys create` made it",
                },
                "Bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token of `POST /api/v1/auth/token`: short-lived, and good as long as its key is",
                },
            }
        },
        "security": [{"ApiKey": []}, {"Bearer": []}],
        "tags": [{"name": tag, "description": description} for tag, (description, _) in _TAGS.items()],
    },
}

_HEADERS: Mapping[str, Mapping[str, Any]] = {
    REQUEST_ID_HEADER: {
        "description": "The request's id: the client's own when it sent a well-formed one",
        "schema": {"type": "string", "examples": [EXAMPLE_ID]},
    },
    "Retry-After": {
        "description": "In how many seconds it is worth trying again",
        "schema": {"type": "integer", "minimum": 1, "examples": [5]},
    },
    "X-RateLimit-Limit": {
        "description": "How many requests to this route the key may make within the limit's time",
        "schema": {"type": "integer", "minimum": 1, "examples": [100]},
    },
    "X-RateLimit-Remaining": {
        "description": "How many of them are left",
        "schema": {"type": "integer", "minimum": 0, "examples": [99]},
    },
    "X-RateLimit-Reset": {
        "description": "When the oldest request that counts no longer does, in Unix seconds",
        "schema": {"type": "integer", "examples": [1760247883]},
    },
    "WWW-Authenticate": {
        "description": "What the service wants to be shown",
        "schema": {"type": "string", "examples": ['ApiKey realm="finbert"']},
    },
}

# Each status that an error can have: when it has it, and the detail of one such error.
ERRORS: Mapping[HTTPStatus, tuple[str, str]] = {
    HTTPStatus.BAD_REQUEST: (
        "The body is not JSON in UTF-8 or did not arrive whole, or a header is malformed",
        "The body is not valid JSON in UTF-8",
    ),
    HTTPStatus.UNAUTHORIZED: (
        "No key or token, or one that is unknown, expired or revoked",
        "An API key is needed: send it as X-API-Key, or a token of one as a Bearer token",
    ),
    HTTPStatus.FORBIDDEN: ("The key may not do this", "This needs an admin key"),
    HTTPStatus.NOT_FOUND: ("There is none of that id for this key", "Prediction not found"),
    HTTPStatus.NOT_ACCEPTABLE: (
        "No content type that `Accept` names",
        "Accept must allow text/csv or application/x-ndjson",
    ),
    HTTPStatus.CONFLICT: (
        "The Idempotency-Key was used with another body",
        "This Idempotency-Key was used with another body",
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (
        "The body is larger than the longest valid one",
        RequestEntityTooLarge.description,
    ),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: (
        "The body is not `application/json`, or is compressed",
        "The body must be plain application/json",
    ),
    HTTPStatus.UNPROCESSABLE_ENTITY: (
        "A field or parameter is missing, invalid or unknown: `errors` says which",
        "text: must not be blank",
    ),
    HTTPStatus.TOO_MANY_REQUESTS: (
        "The key's rate limit for this route is used up",
        "This key may call this route 100 times a minute",
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: (
        "A defect; nothing of it is revealed, the log has it under the `request_id`",
        InternalServerError.description,
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "No verified model, PostgreSQL can't be reached, or more texts wait than can be scored soon",
        "Too many texts are waiting; try again later",
    ),
    HTTPStatus.GATEWAY_TIMEOUT: (
        "The answer was not there within `REQUEST_TIMEOUT_SECONDS`",
        "The answer did not come in the time allowed to a request",
    ),
}

_RATE_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_HEADERS_OF_ERRORS: Mapping[HTTPStatus, tuple[str, ...]] = {
    HTTPStatus.UNAUTHORIZED: ("WWW-Authenticate",),
    HTTPStatus.TOO_MANY_REQUESTS: ("Retry-After", *_RATE_HEADERS),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Retry-After",),
}

_PATH_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "request_id": {"description": "A prediction's `request_id`", "example": EXAMPLE_ID},
    "key_id": {"description": "A key's `key_id`", "example": EXAMPLE_ID},
}

_ENUMERATIONS = (Label, Role, Tier, Bucket)

# Where the id in an answer leads to: the parameter that takes it, where it is, and the operations.
_LINKS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "predict": ("request_id", "/request_id", ("get_prediction", "give_feedback", "delete_prediction")),
    "create_key": ("key_id", "/key_id", ("revoke_key",)),
}

# What a request may meet whatever its route.
_OF_ALL = (HTTPStatus.INTERNAL_SERVER_ERROR,)
_OF_GUARDED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.SERVICE_UNAVAILABLE)
_OF_BODIES = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
_OF_PATHS = (HTTPStatus.NOT_FOUND,)
_OF_LIMITED = (HTTPStatus.TOO_MANY_REQUESTS,)


class SharedDocumentation(BasePlugin):
    """Writes into the document what no view needs to say of itself.

    An operation gets the name of its view as its operationId, a tag that it shares with those it belongs with, the
    errors that all of its kind can meet, and the headers that every answer has; a schema gets `examples` in the form of
    OpenAPI 3.1, and a name for each enumeration.
    """

    def init_spec(self, spec: APISpec) -> None:
        """Registers what the rest refers to: enumerations, headers and errors."""
        for enumeration in _ENUMERATIONS:
            description = (enumeration.__doc__ or "").partition("\n")[0]
            schema = {"type": "string", "enum": list(enumeration), "description": description}
            spec.components.schema(enumeration.__name__, schema)
        for name, header in _HEADERS.items():
            spec.components.header(name, dict(header), lazy=True)
        for status, (when, detail) in ERRORS.items():
            errors = {"text": ["must not be blank"]} if status is HTTPStatus.UNPROCESSABLE_ENTITY else None
            example = problem_document(status, detail, EXAMPLE_ID, errors)
            content = {PROBLEM_JSON: {"schema": ProblemSchema, "example": example}}
            headers = {name: name for name in _HEADERS_OF_ERRORS.get(status, ())}
            response = {"description": when, "content": content, "headers": headers}
            spec.components.response(status.name, response, lazy=True)
        spec.components.schema("BatchError", schema=BatchErrorSchema)

    def schema_helper(self, name: str, definition: dict[str, Any], **_options: Any) -> None:
        """Completes each property."""
        for described in definition.get("properties", {}).values():
            _complete(described)

    def response_helper(self, response: dict[str, Any], **_options: Any) -> None:
        """Gives an error that operations refer to the headers of every answer."""
        response["headers"][REQUEST_ID_HEADER] = REQUEST_ID_HEADER

    def path_helper(
        self,
        path: str | None = None,
        operations: dict[str, Any] | None = None,
        parameters: list[dict[str, Any]] | None = None,
        **_options: Any,
    ) -> None:
        """Describes the parameters in a path."""
        for parameter in parameters or ():
            parameter.update(_PATH_PARAMETERS.get(parameter["name"], {}))
            _complete(parameter["schema"])

    def operation_helper(
        self, path: str | None = None, operations: dict[str, Any] | None = None, **options: Any
    ) -> None:
        """Completes the operations of a path."""
        rule: Rule = options["rule"]
        *_, blueprint, view = rule.endpoint.split(".")
        for operation in (operations or {}).values():
            operation["operationId"] = view
            operation["tags"] = [_TAG_OF[blueprint]]
            for parameter in operation.get("parameters", ()):
                _complete_parameter(parameter)
            responses = operation["responses"]
            for status in _shared_errors(operation, rule):
                responses.setdefault(status.value, status.name)
            headers = [REQUEST_ID_HEADER, *(_RATE_HEADERS if rule.endpoint in RATE_OF else ())]
            for response in responses.values():
                if not isinstance(response, str):
                    _complete_response(response, headers)
            if view in _LINKS:
                responses[min(responses, key=int)]["links"] = _links(*_LINKS[view])
            operation["responses"] = {str(status): responses[status] for status in sorted(responses, key=int)}


def _shared_errors(operation: Mapping[str, Any], rule: Rule) -> tuple[HTTPStatus, ...]:
    return (
        *_OF_ALL,
        *(_OF_GUARDED if operation.get("security") != [] else ()),
        *(_OF_BODIES if "requestBody" in operation else ()),
        *(_OF_PATHS if rule.arguments else ()),
        *(_OF_LIMITED if rule.endpoint in RATE_OF else ()),
    )


def _complete(schema: dict[str, Any]) -> None:
    """Says an example in the words of JSON Schema, and an enumeration of the domain by its name."""
    if "example" in schema:
        schema["examples"] = [schema.pop("example")]
    for enumeration in _ENUMERATIONS:
        if schema.get("enum") == list(enumeration):
            del schema["enum"]
            schema["$ref"] = f"#/components/schemas/{enumeration.__name__}"


def _complete_parameter(parameter: dict[str, Any]) -> None:
    """As for any schema, less what only JSON can express: no query and no header holds a null."""
    schema = parameter["schema"]
    if schema.get("default", ...) is None:
        del schema["default"]
    if isinstance(schema.get("type"), list):
        (schema["type"],) = (kind for kind in schema["type"] if kind != "null")
    if "enum" in schema:
        schema["enum"] = [value for value in schema["enum"] if value is not None]
    _complete(schema)


def _complete_response(response: dict[str, Any], shared_headers: Iterable[str]) -> None:
    headers = response.setdefault("headers", {})
    for header in headers.values():
        _complete(header["schema"])
    headers.update({name: name for name in shared_headers})


def _links(parameter: str, pointer: str, operation_ids: Iterable[str]) -> dict[str, Any]:
    parameters = {parameter: f"$response.body#{pointer}"}
    return {name: {"operationId": name, "parameters": parameters} for name in operation_ids}
