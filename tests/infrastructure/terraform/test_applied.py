"""What an applied environment is, read back from the account."""

import pytest

from finbert_api.observability import cloudwatch
from finbert_api.settings import CLOUDWATCH_NAMESPACE, settings_from_environment

ANYWHERE = "0.0.0.0/0"
EVERY_INTERFACE = "0.0.0.0"  # noqa: S104 - inside the container
TEMPORARY = "/tmp"  # noqa: S108 - the mount point
PRIVATE_ONLY = ("single-host", "fleet", "fargate")


def from_anywhere(stage):
    return [
        (rule["Group"], rule["FromPort"], rule["ToPort"])
        for rule in stage.aws["rules"]
        if not rule["IsEgress"] and rule.get("CidrIpv4") == ANYWHERE
    ]


@pytest.mark.parametrize("variant", PRIVATE_ONLY)
def test_nothing_comes_in_from_the_internet(stage_of, variant):
    assert from_anywhere(stage_of(variant)) == []


def test_elastic_ip_opens_the_port_that_it_declares(stage_of):
    assert from_anywhere(stage_of("elastic-ip")) == [("finbert-api-dev-app", 8000, 8000)]


def test_no_ssh_port(stage):
    assert not [
        rule for rule in stage.aws["rules"] if not rule["IsEgress"] and rule["FromPort"] <= 22 <= rule["ToPort"]
    ]


def test_database_is_reached_by_the_service_alone(stage):
    into = [rule for rule in stage.aws["rules"] if rule["Group"] == "finbert-api-dev-database" and not rule["IsEgress"]]
    assert [(rule["From"], rule["FromPort"], rule["ToPort"]) for rule in into] == [("finbert-api-dev-app", 5432, 5432)]
    database = stage.aws["database"]
    assert [group["VpcSecurityGroupId"] for group in database["VpcSecurityGroups"]] == [into[0]["GroupId"]]
    assert not database["PubliclyAccessible"]
    private = [stage.aws["subnets"][each["SubnetIdentifier"]] for each in database["DBSubnetGroup"]["Subnets"]]
    assert len({subnet["AvailabilityZone"] for subnet in private}) == 2
    assert all("private" in tag["Value"] for subnet in private for tag in subnet["Tags"] if tag["Key"] == "Name")


def test_database_is_encrypted_backed_up_and_discreet(stage):
    database = stage.aws["database"]
    assert database["StorageEncrypted"]
    assert database["BackupRetentionPeriod"] == 7
    assert database["EngineVersion"].startswith("16")
    assert stage.aws["parameters"]["rds.force_ssl"] == "1"
    assert stage.aws["parameters"]["log_error_verbosity"] == "terse"


@pytest.mark.parametrize("variant", ["single-host", "elastic-ip"])
def test_single_host_is_closed(stage_of, variant):
    [host] = stage_of(variant).aws["instances"]
    assert host["InstanceType"].startswith("t3")
    assert host["MetadataOptions"]["HttpTokens"] == "required"
    assert host["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert host["IamInstanceProfile"]["Arn"].endswith("/finbert-api-dev-host")
    assert "KeyName" not in host or not host["KeyName"]
    tags = {tag["Key"]: tag["Value"] for tag in host["Tags"]}
    assert stage_of(variant).outputs["ansible_vars"]["tags"].items() <= tags.items()


def test_hosts_of_a_fleet_carry_the_tags_and_find_the_playbooks(stage_of):
    fleet = stage_of("fleet")
    assert len(fleet.aws["instances"]) == 2
    for host in fleet.aws["instances"]:
        tags = {tag["Key"]: tag["Value"] for tag in host["Tags"]}
        assert fleet.outputs["ansible_vars"]["tags"].items() <= tags.items()
    assert "ansible/playbooks/site.yml" in fleet.aws["playbooks"]


def test_task_is_confined(stage):
    container = stage.aws["container"]
    assert container["name"] == "app"
    assert container["readonlyRootFilesystem"] is True
    assert container["user"] == "10001:10001"
    assert container["stopTimeout"] == 60
    assert container["linuxParameters"]["capabilities"]["drop"] == ["ALL"]
    assert "/health" in container["healthCheck"]["command"][-1]
    assert {point["containerPath"] for point in container["mountPoints"]} >= {"/var/lib/finbert"}


def test_task_swaps_and_has_its_own_tmp_where_it_can(stage_of):
    parameters = stage_of("single-host").aws["container"]["linuxParameters"]
    assert parameters["maxSwap"] == 1024
    assert [mount["containerPath"] for mount in parameters["tmpfs"]] == [TEMPORARY]
    on_fargate = stage_of("fargate").aws["container"]
    assert not {"maxSwap", "tmpfs"} & set(on_fargate["linuxParameters"])
    assert TEMPORARY in {point["containerPath"] for point in on_fargate["mountPoints"]}


def test_task_takes_secrets_from_ssm_and_settings_that_the_service_knows(stage):
    container = stage.aws["container"]
    assert {secret["name"]: secret["valueFrom"].split(":parameter")[1] for secret in container["secrets"]} == {
        name: f"/finbert-api/dev/{name}" for name in ("API_KEY", "DATABASE_URL", "JWT_SECRET")
    }
    environment = {each["name"]: each["value"] for each in container["environment"]}
    settings = settings_from_environment(environment)
    assert settings.metrics_backend == "both"
    assert settings.cloudwatch_namespace == CLOUDWATCH_NAMESPACE
    assert (settings.host, settings.port) == (EVERY_INTERFACE, 8000)


def test_deployments_overlap_unless_the_port_is_fixed(stage_of):
    for variant, port, least, most in (
        ("single-host", 0, 100, 200),
        ("fleet", 0, 100, 200),
        ("elastic-ip", 8000, 0, 100),
    ):
        aws = stage_of(variant).aws
        assert aws["container"]["portMappings"][0]["hostPort"] == port
        deployment = aws["service"]["deploymentConfiguration"]
        assert (deployment["minimumHealthyPercent"], deployment["maximumPercent"]) == (least, most)


def test_gateway_leads_to_the_tasks(stage_of):
    for variant, connection, target in (
        ("single-host", "VPC_LINK", ":servicediscovery:"),
        ("fleet", "VPC_LINK", ":listener/app/finbert-api-dev/"),
        ("fargate", "VPC_LINK", ":servicediscovery:"),
        ("elastic-ip", "INTERNET", "http://"),
    ):
        integration = stage_of(variant).aws["integration"]
        assert integration["ConnectionType"] == connection
        assert target in integration["IntegrationUri"]
        assert integration["TimeoutInMillis"] == 29000
        assert integration["RequestParameters"]["overwrite:path"] == "$request.path"


def test_gateway_throttles_logs_and_keeps_metrics_from_strangers(stage):
    assert stage.aws["stage"]["DefaultRouteSettings"]["ThrottlingRateLimit"] == 50
    assert "/finbert-api/dev/gateway" in stage.aws["stage"]["AccessLogSettings"]["DestinationArn"]
    assert stage.aws["routes"]["ANY /metrics"]["AuthorizationType"] == "AWS_IAM"


def test_fleet_scales_on_cpu_and_requests_behind_a_firewall(stage_of):
    for variant, firewalls in (("fleet", ["finbert-api-dev"]), ("fargate", [])):
        aws = stage_of(variant).aws
        targets = {
            policy["PolicyName"]: policy["TargetTrackingScalingPolicyConfiguration"] for policy in aws["scaling"]
        }
        assert targets["cpu"]["TargetValue"] == 70
        assert set(targets) == {"cpu", "requests"}
        assert [firewall["Name"] for firewall in aws["firewalls"]] == firewalls


def of_alarm(alarm):
    dimensions = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
    return alarm["Namespace"], alarm["MetricName"], dimensions, alarm.get("Statistic") or alarm.get("ExtendedStatistic")


def test_alarms_watch_what_the_service_sends(stage):
    watched = {name: of_alarm(alarm) for name, alarm in stage.aws["alarms"].items()}
    assert watched["error-rate"] == (CLOUDWATCH_NAMESPACE, cloudwatch.ERROR_RATE, {}, "Average")
    assert watched["latency-p99"] == (CLOUDWATCH_NAMESPACE, cloudwatch.PREDICTION_LATENCY, {}, "p99")
    assert watched["database-writes"] == (CLOUDWATCH_NAMESPACE, cloudwatch.DB_WRITE_FAILURES, {}, "Sum")


def test_alarms_go_off_when_the_issue_says(stage):
    said = {
        name: (alarm["ComparisonOperator"], alarm["Threshold"], alarm["Period"] * alarm["EvaluationPeriods"])
        for name, alarm in stage.aws["alarms"].items()
    }
    above = "GreaterThanThreshold"
    assert said["error-rate"] == (above, 10, 300)
    assert said["latency-p99"] == (above, 3000, 300)
    assert said["database-writes"][:2] == (above, 0)
    assert said["host-cpu" if "host-cpu" in said else "task-cpu"] == (above, 90, 600)
    assert {"database-storage", "database-connections", "missing-task", "billing"} <= set(said)
    assert all(alarm["AlarmActions"] for alarm in stage.aws["alarms"].values())


def test_alarms_watch_hosts_as_the_agent_sends(stage_of):
    single, fleet = stage_of("single-host").aws, stage_of("fleet").aws
    [host] = single["instances"]
    for aws, dimensions in (
        (single, {"InstanceId": host["InstanceId"]}),
        (fleet, {"AutoScalingGroupName": "finbert-api-dev-fleet"}),
    ):
        watched = {name: of_alarm(alarm)[:3] for name, alarm in aws["alarms"].items()}
        assert watched["host-cpu"] == ("AWS/EC2", "CPUUtilization", dimensions)
        assert watched["host-memory"] == ("CWAgent", "mem_used_percent", dimensions)
        assert watched["host-disk"] == ("CWAgent", "disk_used_percent", dimensions)


def test_dashboard_shows_all_there_is_to_see(stage):
    [(name, dashboard)] = stage.aws["dashboards"].items()
    assert name == stage.outputs["dashboard_name"] == "finbert-api-dashboard-dev"
    metrics = [metric for widget in dashboard["widgets"] for metric in widget["properties"]["metrics"]]
    shown = {tuple(part for part in metric if isinstance(part, str))[:2] for metric in metrics}
    labels = {metric[3] for metric in metrics if metric[:2] == [CLOUDWATCH_NAMESPACE, cloudwatch.PREDICTION_COUNT]}
    assert labels == {"positive", "negative", "neutral"}
    assert {metric[2] for metric in metrics if metric[1:2] == [cloudwatch.PREDICTION_COUNT]} == {
        cloudwatch.LABEL_DIMENSION
    }
    assert {
        (CLOUDWATCH_NAMESPACE, cloudwatch.PREDICTION_LATENCY),
        (CLOUDWATCH_NAMESPACE, cloudwatch.DB_WRITE_FAILURES),
        ("AWS/ApiGateway", "4xx"),
        ("AWS/ApiGateway", "5xx"),
        ("AWS/ApiGateway", "Latency"),
        ("AWS/RDS", "CPUUtilization"),
    } <= shown
    on_hosts = {
        ("AWS/EC2", "CPUUtilization"),
        *(("CWAgent", f"{what}_used_percent") for what in ("mem", "disk", "swap")),
    }
    assert on_hosts <= shown or stage.aws["service"]["launchType"] == "FARGATE"
