"""The name of an image, by digest alone."""

import re

from finbert_api.deployment.errors import DeploymentRefused

# The colon of a port stands before a slash; one behind the last slash would begin a tag.
_BY_DIGEST = re.compile(
    r"(?:[a-z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
    r"@sha256:[0-9a-f]{64}"
)


def is_by_digest(name: str) -> bool:
    """Whether that is REPOSITORY@sha256:DIGEST."""
    return _BY_DIGEST.fullmatch(name) is not None


def image_by_digest(name: str) -> str:
    """The name, if it is REPOSITORY@sha256:DIGEST.

    Raises DeploymentRefused for a tag, with or without a digest: what a tag names may change between two tasks.
    """
    if not is_by_digest(name):
        raise DeploymentRefused(f"{name!r} does not name an image by digest alone: REPOSITORY@sha256:<64 hex digits>")
    return name
