"""A moto server that Terraform's AWS provider takes for AWS: `python mock_aws.py PORT`.

moto answers some calls as AWS would not, so that the provider fails, or sees a change where there is none. Each of
those is mended here from outside.
"""

import json
import os
import sys

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.autoscaling.models import AutoScalingBackend
from moto.core.responses import EmptyResult
from moto.ec2.models.instances import Instance
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.responses.launch_templates import LaunchTemplates
from moto.ec2.responses.monitoring import Monitoring
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.iam.access_control import IAMPolicyStatement, PermissionResult
from moto.rds.models import DBParameterGroup
from moto.s3.models import FakeDeleteMarker
from werkzeug.serving import run_simple


def mend():
    _services_say_what_they_were_given()
    _set_parameters_are_the_users()
    _launch_templates_keep_their_own_tags()
    _plain_http_is_let_in()
    _groups_end_with_their_instances()
    _instances_are_in_the_groups_of_their_interface()
    SecurityGroupRule.description = property(lambda rule: (rule.source_group or rule.ip_range).get("Description"))
    _scalable_targets_keep_their_tags()
    FakeDeleteMarker.dispose = lambda _self, *_args, **_kwargs: None
    Monitoring.monitor_instances = Monitoring.unmonitor_instances = lambda _self: EmptyResult()


def _services_say_what_they_were_given():
    create = EC2ContainerServiceResponse.create_service

    def create_service(self):
        answer = create(self)
        service = answer.result["service"]
        service.availability_zone_rebalancing = "DISABLED"
        service.network_configuration = service.network_configuration or None
        service.capacity_provider_strategy = self._get_param("capacityProviderStrategy")
        service.deployment_configuration = self._get_param("deploymentConfiguration")
        service.placement_strategy = self._get_param("placementStrategy")
        service.health_check_grace_period_seconds = self._get_param("healthCheckGracePeriodSeconds")
        service.launch_type = self._get_param("launchType")
        return answer

    EC2ContainerServiceResponse.create_service = create_service


def _scalable_targets_keep_their_tags():
    register = ApplicationAutoScalingResponse.register_scalable_target
    tags = {}

    def register_scalable_target(self):
        answer = register(self)
        tags.setdefault(json.loads(answer)["ScalableTargetARN"], self._get_param("Tags") or {})
        return answer

    ApplicationAutoScalingResponse.register_scalable_target = register_scalable_target
    ApplicationAutoScalingResponse.list_tags_for_resource = lambda self: json.dumps(
        {"Tags": tags[self._get_param("ResourceARN")]}
    )


def _set_parameters_are_the_users():
    update = DBParameterGroup.update_parameters

    def update_parameters(self, new_parameters):
        update(self, [parameter | {"Source": "user"} for parameter in new_parameters])

    DBParameterGroup.update_parameters = update_parameters


def _launch_templates_keep_their_own_tags():
    describe = LaunchTemplates.describe_launch_template_versions

    def describe_launch_template_versions(self):
        answer = describe(self)
        for version in answer.result["LaunchTemplateVersions"]:
            data = version["LaunchTemplateData"]
            data["TagSpecifications"] = [
                tags for tags in data.get("TagSpecifications", []) if tags["ResourceType"] != "launch-template"
            ]
        return answer

    LaunchTemplates.describe_launch_template_versions = describe_launch_template_versions


def _instances_are_in_the_groups_of_their_interface():
    prepare = Instance.prep_nics

    def prep_nics(self, *args, **kwargs):
        prepare(self, *args, **kwargs)
        self.security_groups = self.security_groups or list(self.nics[0].group_set)

    Instance.prep_nics = prep_nics


def _groups_end_with_their_instances():
    delete = AutoScalingBackend.delete_auto_scaling_group

    def delete_auto_scaling_group(self, group_name):
        for instance in self.autoscaling_groups[group_name].instance_states:
            instance.protected_from_scale_in = False
        delete(self, group_name)

    AutoScalingBackend.delete_auto_scaling_group = delete_auto_scaling_group


def _plain_http_is_let_in():
    judge = IAMPolicyStatement.is_action_permitted

    # moto takes a denial with a condition for one without.
    def is_action_permitted(self, *args, **kwargs):
        if "aws:SecureTransport" in json.dumps(self._statement.get("Condition", {})):
            return PermissionResult.NEUTRAL
        return judge(self, *args, **kwargs)

    IAMPolicyStatement.is_action_permitted = is_action_permitted


if __name__ == "__main__":
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    mend()
    run_simple("127.0.0.1", int(sys.argv[1]), DomainDispatcherApplication(create_backend_app), threaded=True)
