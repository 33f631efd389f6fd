"""The mock AWS account of a test, and what boto3 finds in it."""

import json
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import boto3
from botocore.exceptions import ConnectionError as NoConnection
from support import free_port, wait_for

REGION = "eu-central-1"
OURS = [{"Key": "Name", "Option": "BeginsWith", "Values": ["/finbert-api/"]}]


class Account:
    def __init__(self, port):
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service, region=REGION):
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def answers(self):
        with suppress(NoConnection):
            return self.client("sts").get_caller_identity()

    def holds(self, key):
        """Whether the state bucket has such an object."""
        buckets = [
            bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"] if "terraform" in bucket["Name"]
        ]
        return any(self.client("s3").list_objects_v2(Bucket=name, Prefix=key)["KeyCount"] for name in buckets)

    def reading(self, name):
        """What an environment is made of, by kind, as AWS describes it."""
        ec2, ecs, rds = self.client("ec2"), self.client("ecs"), self.client("rds")
        groups = {group["GroupId"]: group["GroupName"] for group in ec2.describe_security_groups()["SecurityGroups"]}
        service = ecs.describe_services(cluster=name, services=[name])["services"][0]
        task = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
        api = self.client("apigatewayv2")
        [described_api] = api.get_apis()["Items"]
        api_id = described_api["ApiId"]
        alarms = [
            alarm
            for region in (REGION, "us-east-1")
            for alarm in self.client("cloudwatch", region).describe_alarms()["MetricAlarms"]
        ]
        return {
            "rules": [
                rule
                | {
                    "Group": groups[rule["GroupId"]],
                    "From": groups.get(rule.get("ReferencedGroupInfo", {}).get("GroupId")),
                }
                for rule in ec2.describe_security_group_rules()["SecurityGroupRules"]
                if groups[rule["GroupId"]].startswith(name)
            ],
            "database": rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0],
            "parameters": {
                each["ParameterName"]: each.get("ParameterValue")
                for each in rds.describe_db_parameters(DBParameterGroupName=f"{name}-postgres16")["Parameters"]
            },
            "subnets": {subnet["SubnetId"]: subnet for subnet in ec2.describe_subnets()["Subnets"]},
            "instances": [
                instance
                for reservation in ec2.describe_instances()["Reservations"]
                for instance in reservation["Instances"]
                if instance["State"]["Name"] == "running"
            ],
            "service": service,
            "task": task,
            "container": task["containerDefinitions"][0],
            "api": described_api,
            "integration": api.get_integrations(ApiId=api_id)["Items"][0],
            "routes": {route["RouteKey"]: route for route in api.get_routes(ApiId=api_id)["Items"]},
            "stage": api.get_stages(ApiId=api_id)["Items"][0],
            "alarms": {alarm["AlarmName"].removeprefix(f"{name}-"): alarm for alarm in alarms},
            "dashboards": {
                found["DashboardName"]: json.loads(
                    self.client("cloudwatch").get_dashboard(DashboardName=found["DashboardName"])["DashboardBody"]
                )
                for found in self.client("cloudwatch").list_dashboards()["DashboardEntries"]
            },
            "secrets": {
                each["Name"]: each
                for each in self.client("ssm").get_parameters_by_path(
                    Path="/finbert-api", Recursive=True, WithDecryption=True
                )["Parameters"]
            },
            "scaling": self.client("application-autoscaling").describe_scaling_policies(ServiceNamespace="ecs")[
                "ScalingPolicies"
            ],
            "firewalls": self.client("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"],
            "playbooks": self._playbooks(name),
        }

    def _playbooks(self, name):
        s3 = self.client("s3")
        bucket = next(each["Name"] for each in s3.list_buckets()["Buckets"] if each["Name"].startswith(f"{name}-hosts"))
        return {each["Key"] for each in s3.list_objects_v2(Bucket=bucket).get("Contents", [])}

    def remains(self):
        """Names of whatever of ours is still there."""
        ec2, iam = self.client("ec2"), self.client("iam")
        alarms = [
            each
            for region in (REGION, "us-east-1")
            for each in self.client("cloudwatch", region).describe_alarms()["MetricAlarms"]
        ]
        topics = [
            each for region in (REGION, "us-east-1") for each in self.client("sns", region).list_topics()["Topics"]
        ]
        ecs = self.client("ecs")
        clusters = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]
        found = [
            *(vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]),
            *(
                group["GroupName"]
                for group in ec2.describe_security_groups()["SecurityGroups"]
                if group["GroupName"] != "default"
            ),
            *(address["AllocationId"] for address in ec2.describe_addresses()["Addresses"]),
            *(
                instance["InstanceId"]
                for reservation in ec2.describe_instances()["Reservations"]
                for instance in reservation["Instances"]
                if instance["State"]["Name"] != "terminated"
            ),
            *(each["LaunchTemplateName"] for each in ec2.describe_launch_templates()["LaunchTemplates"]),
            *(
                each["AutoScalingGroupName"]
                for each in self.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
            ),
            *(each["DBInstanceIdentifier"] for each in self.client("rds").describe_db_instances()["DBInstances"]),
            *(each["DBSnapshotIdentifier"] for each in self.client("rds").describe_db_snapshots()["DBSnapshots"]),
            *(each["repositoryName"] for each in self.client("ecr").describe_repositories()["repositories"]),
            *(each["clusterArn"] for each in clusters if each["status"] == "ACTIVE"),
            *(ecs.list_task_definitions(status="ACTIVE")["taskDefinitionArns"]),
            *(each["LoadBalancerName"] for each in self.client("elbv2").describe_load_balancers()["LoadBalancers"]),
            *(each["Name"] for each in self.client("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"]),
            *(each["Name"] for each in self.client("apigatewayv2").get_apis()["Items"]),
            *(each["Name"] for each in self.client("servicediscovery").list_namespaces()["Namespaces"]),
            *(each["RoleName"] for each in iam.list_roles()["Roles"] if each["RoleName"].startswith("finbert")),
            *(each["Arn"] for each in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]),
            *(each["Name"] for each in self.client("s3").list_buckets()["Buckets"]),
            *(each["logGroupName"] for each in self.client("logs").describe_log_groups()["logGroups"]),
            *(each["Name"] for each in self.client("ssm").describe_parameters(ParameterFilters=OURS)["Parameters"]),
            *(each["DashboardName"] for each in self.client("cloudwatch").list_dashboards()["DashboardEntries"]),
            *(each["AlarmName"] for each in alarms),
            *(each["TopicArn"] for each in topics),
        ]
        return sorted(found)


@contextmanager
def mock_account(folder):
    """An account that nobody else has, empty, over HTTP."""
    port = free_port()
    with (folder / "mock_aws.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("mock_aws.py")), str(port)], stdout=log, stderr=log
        )
        try:
            account = Account(port)
            wait_for(account.answers, "the mock of AWS")
            yield account
        finally:
            server.terminate()
            server.wait()
