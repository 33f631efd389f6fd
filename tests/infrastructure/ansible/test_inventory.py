"""The hosts of an environment and their variables, from Terraform's output and from AWS's tags."""

import json
import os
import shutil
import subprocess

import boto3
import pytest
import yaml
from infrastructure.ansible.hosts import ANSIBLE, ANSIBLE_VARS, tool
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

TAGS = {"Project": "finbert-api", "Environment": "dev", "Role": "ecs-host"}


@pytest.fixture
def checkout(tmp_path):
    """The playbooks beside an applied Terraform root that has the output alone."""
    if shutil.which("terraform") is None:
        pytest.skip("needs terraform")
    shutil.copytree(ANSIBLE, tmp_path / "ansible")
    root = tmp_path / "terraform" / "environments" / "dev"
    root.mkdir(parents=True)
    (root / "main.tf.json").write_text(json.dumps({"output": {"ansible_vars": {"value": ANSIBLE_VARS}}}))
    command = ["terraform", f"-chdir={root}"]
    subprocess.run([*command, "init", "-input=false"], check=True, capture_output=True, env=environment(), timeout=60)
    subprocess.run([*command, "apply", "-auto-approve"], check=True, capture_output=True, env=environment(), timeout=60)
    return tmp_path / "ansible"


def environment(**variables):
    usual = {name: value for name, value in os.environ.items() if name not in ("TF_CLI_CONFIG_FILE", "AWS_PROFILE")}
    return usual | {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"} | variables


@pytest.fixture
def aws():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def run_instance(aws, region="eu-central-1", **tags):
    ec2 = boto3.client(
        "ec2", region_name=region, endpoint_url=aws, aws_access_key_id="test", aws_secret_access_key="test"
    )
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    specification = [{"ResourceType": "instance", "Tags": [{"Key": key, "Value": tags[key]} for key in tags]}]
    run = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=specification)
    return run["Instances"][0]["InstanceId"]


def inventory(checkout, **variables):
    return subprocess.run(
        [tool("ansible-inventory"), "--list"],
        check=False,
        cwd=checkout,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_hosts_by_tags_and_variables_by_terraform(checkout, aws):
    wanted = run_instance(aws, **TAGS)
    run_instance(aws, **TAGS | {"Environment": "prod"})
    run_instance(aws, **TAGS | {"Role": "bastion"})
    run_instance(aws, region="us-east-1", **TAGS)
    listed = inventory(checkout, FINBERT_ENVIRONMENT="dev", AWS_ENDPOINT_URL=aws)
    assert listed.returncode == 0, listed.stderr
    hosts = json.loads(listed.stdout)
    assert hosts["ecs_host"]["hosts"] == [wanted]
    variables = hosts["_meta"]["hostvars"][wanted]
    assert variables["ansible_vars"] == ANSIBLE_VARS
    assert variables["ansible_connection"] == "amazon.aws.aws_ssm"


@pytest.mark.parametrize("name", ["", "staging"])
def test_environment_must_exist(checkout, name):
    listed = inventory(checkout, FINBERT_ENVIRONMENT=name)
    assert listed.returncode != 0
    assert "FINBERT_ENVIRONMENT must name a folder" in listed.stderr


def test_environment_that_was_not_applied_is_refused(checkout):
    (checkout.parent / "terraform" / "environments" / "dev" / "terraform.tfstate").unlink()
    listed = inventory(checkout, FINBERT_ENVIRONMENT="dev")
    assert listed.returncode != 0
    assert "terraform output of dev" in listed.stderr


def test_collections_are_the_ones_that_the_tests_use():
    listed = subprocess.run(
        [tool("ansible-galaxy"), "collection", "list", "--format", "json"], check=True, capture_output=True, text=True
    )
    installed = {
        name: found["version"] for folder in json.loads(listed.stdout).values() for name, found in folder.items()
    }
    required = yaml.safe_load((ANSIBLE / "requirements.yml").read_text())["collections"]
    assert {one["name"]: one["version"] for one in required} == {
        one["name"]: installed[one["name"]] for one in required
    }
