"""What Terraform, the playbooks and the service say of the same thing."""

import re

from finbert_api.settings import PROJECT_ROOT

AGENT = PROJECT_ROOT / "ansible/roles/cloudwatch_agent/templates/amazon-cloudwatch-agent.json.j2"
HOSTS = PROJECT_ROOT / "terraform/modules/cluster/outputs.tf"


def test_hosts_send_their_metrics_by_what_the_alarms_look_at():
    dimensions = re.findall(r"\{ (\w+) = aws_\w+\.", HOSTS.read_text())
    assert dimensions == ["InstanceId", "AutoScalingGroupName"]
    [sent] = re.findall(r'"aggregation_dimensions": (.*),', AGENT.read_text())
    assert sent == "[" + ", ".join(f'["{dimension}"]' for dimension in dimensions) + "]"
