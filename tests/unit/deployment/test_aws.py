import pytest
from mock_ecs import NAME
from support import free_port

from finbert_api.deployment.aws import api_key, client
from finbert_api.deployment.errors import AwsError
from finbert_api.deployment.service import EcsService


def test_the_api_key_is_that_of_the_tasks(ecs):
    ecs.client("ssm").put_parameter(Name="/finbert-api/dev/API_KEY", Value="a-key", Type="SecureString")
    assert api_key("dev") == "a-key"
    with pytest.raises(AwsError, match="AWS refuses GetParameter: ParameterNotFound") as raised:
        api_key("prod")
    assert raised.value.is_certain


def test_a_refusal_is_one_line_that_names_the_call(ecs, service):
    ecs.allow_all_but("ecs:DescribeServices")
    with pytest.raises(AwsError) as raised:
        service.state()
    said = "AWS refuses DescribeServices: AccessDeniedException: User: arn:aws:iam::123456789012:user/pipeline is not "
    assert str(raised.value) == said + "authorized to perform: ecs:DescribeServices"
    assert raised.value.is_certain


def test_an_aws_that_does_not_answer_leaves_it_open(ecs, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    away = client("ecs")
    with pytest.raises(AwsError, match="AWS can't be asked: Could not connect") as raised:
        EcsService("dev", away).update(f"{NAME}:1")
    away.close()
    assert not raised.value.is_certain


def test_no_region_is_said(monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(AwsError, match="AWS can't be asked: You must specify a region"):
        client("ecs")
