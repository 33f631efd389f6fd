import pytest

from finbert_api.deployment.errors import DeploymentRefused
from finbert_api.deployment.image import image_by_digest

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    "repository",
    ["finbert-api", "123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/finbert-api", "localhost:5000/finbert_api"],
)
def test_an_image_by_digest_is_taken(repository):
    assert image_by_digest(f"{repository}@{DIGEST}") == f"{repository}@{DIGEST}"


@pytest.mark.parametrize(
    "name",
    [
        "finbert-api",
        "finbert-api:latest",
        "registry.example/finbert-api:1.2.0",
        f"finbert-api:latest@{DIGEST}",
        f"localhost:5000/finbert-api:1@{DIGEST}",
        f"finbert-api@{DIGEST[:-1]}",
        f"finbert-api@{DIGEST.upper()}",
        f"@{DIGEST}",
        DIGEST,
        f"finbert-api@{DIGEST}\n",
        "",
    ],
)
def test_any_other_name_is_refused(name):
    with pytest.raises(DeploymentRefused, match="by digest alone"):
        image_by_digest(name)
