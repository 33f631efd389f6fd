"""Terraform applied for real: each life of an environment once, side by side, for all tests to look at."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from infrastructure.terraform.life import live
from infrastructure.terraform.terraform_cli import Terraform

# Each list is one environment that changes in place: from the plain host to a fleet, as docs/infrastructure.md says.
LIVES = {
    "hosts": {
        "single-host": {},
        "fleet": {"capacity": "fleet"},
    },
    "others": {
        "elastic-ip": {"ingress": "elastic_ip"},
        "fargate": {"capacity": "fleet", "launch_type": "FARGATE", "balancer": "cloud_map"},
    },
}
VARIANTS = {variant: life for life, variants in LIVES.items() for variant in variants}


@pytest.fixture(scope="session")
def futures(tmp_path_factory):
    Terraform.required()
    with ThreadPoolExecutor(len(LIVES)) as pool:
        yield {name: pool.submit(live, tmp_path_factory.mktemp(name), variants) for name, variants in LIVES.items()}


@pytest.fixture(scope="session", params=LIVES)
def life(request, futures):
    """The whole life of an environment."""
    return futures[request.param].result()


@pytest.fixture(scope="session", params=VARIANTS)
def stage(request, futures):
    """An environment as applied, in each variant."""
    return futures[VARIANTS[request.param]].result().stages[request.param]


@pytest.fixture(scope="session")
def stage_of(futures):
    """The environment as applied in the variant named."""
    return lambda variant: futures[VARIANTS[variant]].result().stages[variant]


@pytest.fixture(scope="session")
def terraform(tmp_path_factory):
    """The command over a copy of the configuration, with no account at all."""
    Terraform.required()
    return Terraform(tmp_path_factory.mktemp("terraform"), AWS_EC2_METADATA_DISABLED="true", AWS_REGION="eu-central-1")
