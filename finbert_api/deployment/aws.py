"""AWS's clients, and its refusals as one line each."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from finbert_api.deployment.errors import AwsError

# A call that hangs must not eat up the time in which the previous revision has to be back.
_CONFIG = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})
_SERVER_ERROR = 500


def client(service: str, region: str | None = None) -> Any:
    """A client of that AWS service; raises AwsError without a region or credentials' profile."""
    with aws_errors():
        return boto3.Session(region_name=region).client(service, config=_CONFIG)


def api_key(environment: str, region: str | None = None) -> str:
    """The service's API key, from the parameter that its tasks take it from; raises AwsError."""
    return _parameter(f"/finbert-api/{environment}/API_KEY", region)


def base_url(environment: str, region: str | None = None) -> str:
    """The address that clients call, as Terraform left it in a parameter; raises AwsError."""
    return str(json.loads(_parameter(f"/finbert-api/{environment}/deploy", region))["base_url"])


def _parameter(name: str, region: str | None) -> str:
    parameters = client("ssm", region)
    with aws_errors(), closing(parameters):
        return str(parameters.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])


@contextmanager
def aws_errors() -> Iterator[None]:
    """Raises what botocore raises as AwsError."""
    try:
        yield
    except ClientError as error:
        said = error.response["Error"]
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", _SERVER_ERROR)
        message = f"AWS refuses {error.operation_name}: {said.get('Code')}: {said.get('Message') or 'no reason given'}"
        raise AwsError(" ".join(message.split()), is_certain=status < _SERVER_ERROR) from error
    except BotoCoreError as error:
        raise AwsError(" ".join(f"AWS can't be asked: {error}".split()), is_certain=False) from error
