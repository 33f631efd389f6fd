"""The header Idempotency-Key, as draft-ietf-httpapi-idempotency-key-header describes it."""

import re
from http import HTTPStatus

from flask import abort

IDEMPOTENCY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
LONGEST_KEY = 255
# The draft's form is a string of RFC 8941 in double quotes; many clients send the bare characters, which mean the same.
_BARE = r"[!#-+\--:<-\[\]-~]"
_QUOTED = r'(?:[ !#-\[\]-~]|\\["\\])'
_PATTERN = rf'^(?:{_BARE}{{1,{LONGEST_KEY}}}|"{_QUOTED}{{1,{LONGEST_KEY}}}")$'
_ESCAPED = re.compile(r'\\(["\\])')

IDEMPOTENCY_PARAMETER = {
    "in": "header",
    "name": IDEMPOTENCY_HEADER,
    "required": False,
    "description": "Makes it safe to send a request again: for 24 hours the same key with the same body gives the same "
    f"stored prediction, and with another body 409. Up to {LONGEST_KEY} characters in double quotes, as of the IETF "
    "draft, or bare",
    "schema": {"type": "string", "pattern": _PATTERN, "example": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'},
}


def idempotency_key(header: str | None) -> str | None:
    """The key that a header carries, None when there is no header; a malformed one ends the request with 400."""
    if header is None:
        return None
    if not re.fullmatch(_PATTERN, header):
        abort(
            HTTPStatus.BAD_REQUEST,
            description=f'{IDEMPOTENCY_HEADER} must be one string of 1 to {LONGEST_KEY} characters, such as "8e03978e"',
        )
    return _ESCAPED.sub(r"\1", header[1:-1]) if header.startswith('"') else header
