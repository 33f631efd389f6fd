"""The playbooks on machines: an image without services in a chroot, and hosts with systemd over SSH."""

import difflib
import json
import shutil
from typing import NamedTuple

import pytest
from infrastructure.ansible.hosts import ANSIBLE, ANSIBLE_VARS, kernel_to_oneself

SWAP = "/var/swap/swapfile"
CLOUDWATCH_CONFIG = "/opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.json"


class Damage(NamedTuple):
    role: str
    script: str
    needs_services: bool = False
    mended_by: str | None = None  # the tag of the part of the role that is enough to mend it


DAMAGES = {
    "no ecs.config": Damage("ecs_agent", "rm /etc/ecs/ecs.config"),
    "another cluster": Damage("ecs_agent", "sed -i s/ECS_CLUSTER=.*/ECS_CLUSTER=other/ /etc/ecs/ecs.config"),
    "no ECS agent at boot": Damage("ecs_agent", "systemctl disable -q ecs.service"),
    "ECS agent stopped": Damage("ecs_agent", "systemctl stop ecs.service", needs_services=True),
    "metadata open": Damage("ecs_agent", "iptables -D DOCKER-USER -d 169.254.169.254/32 -j DROP", needs_services=True),
    "no metrics": Damage("cloudwatch_agent", f"rm {CLOUDWATCH_CONFIG}"),
    "no memory metric": Damage("cloudwatch_agent", f"sed -i s/mem_used_percent/mem_used/ {CLOUDWATCH_CONFIG}"),
    "CloudWatch agent stopped": Damage(
        "cloudwatch_agent", "systemctl stop amazon-cloudwatch-agent.service", needs_services=True
    ),
    "no swap file": Damage("swap", f"swapoff {SWAP}; rm {SWAP}"),
    "readable swap": Damage("swap", f"chmod 644 {SWAP}"),
    "no line in fstab": Damage("swap", "sed -i /swap/d /etc/fstab"),
    "swap unused": Damage("swap", f"swapoff {SWAP}", needs_services=True),
    "other swappiness": Damage("swap", "sysctl -q -w vm.swappiness=77", needs_services=True),
    "no kernel settings": Damage("host_baseline", "rm /etc/sysctl.d/80-host-baseline.conf", mended_by="kernel"),
    "no timer": Damage("host_baseline", "systemctl disable -q --now logrotate.timer"),
    "no time server": Damage(
        "host_baseline", "sed -i /^server/d /etc/chrony.conf /etc/chrony/chrony.conf", mended_by="time"
    ),
    "no log rotation": Damage("host_baseline", "rm /etc/logrotate.d/host-baseline", mended_by="logs"),
    "unbounded journal": Damage(
        "host_baseline", "rm /etc/systemd/journald.conf.d/50-host-baseline.conf", mended_by="logs"
    ),
}

# Most of what is shown holds for both machines; an image runs no services, and what is refused is refused everywhere.
ON_IMAGE = pytest.mark.parametrize("story", ["image"], indirect=True)
ON_HOST = pytest.mark.parametrize("story", ["host"], indirect=True)


def test_check_mode_foretells_and_changes_nothing_on_a_fresh_machine(story):
    assert story.check.status == 0, story.check.failed or story.check.output
    assert "ecs_agent : Configure the agent" in story.check.changed
    assert "swap : Write the file under another name" in story.check.changed
    assert not list(difflib.unified_diff(story.before.splitlines(), story.after_check.splitlines(), n=0))


def test_first_run_converges_and_verify_passes(story):
    assert story.first.status == 0, story.first.failed or story.first.output
    assert len(story.first.changed) > 20
    assert story.verify.status == 0, story.verify.failed or story.verify.output


def test_second_run_changes_nothing(story):
    assert story.second.status == 0, story.second.failed or story.second.output
    assert story.second.changed == []


def test_changed_swap_size_is_followed(machine):
    larger, smaller = {"swap_size_mb": 96}, {"swap_size_mb": 48}
    with kernel_to_oneself():
        before = machine.state()
        foretold = machine.converge("--tags=swap", "--check", ansible_vars=larger)
        after = machine.state()
    assert "swap : Write the file under another name" in foretold.changed
    assert after == before
    for size in (larger, smaller):
        assert machine.verify("--tags=swap", ansible_vars=size).failed
        machine.converge("--tags=swap", ansible_vars=size)
        assert machine.shell(f"stat -c %s {SWAP}") == f"{size['swap_size_mb'] << 20}\n"
        assert not machine.verify("--tags=swap", ansible_vars=size).failed
        assert machine.converge("--tags=swap", ansible_vars=size).changed == []
    machine.converge("--tags=swap")


def test_swap_is_removed(machine):
    nothing = {"swap_size_mb": 0}
    assert machine.verify("--tags=swap", ansible_vars=nothing).failed
    machine.converge("--tags=swap", ansible_vars=nothing)
    assert not machine.verify("--tags=swap", ansible_vars=nothing).failed
    assert machine.shell("ls /var/swap; grep -h swap /etc/fstab /etc/sysctl.d/90-swap.conf", check=False) == ""
    assert machine.converge("--tags=swap", ansible_vars=nothing).changed == []
    machine.converge("--tags=swap")


def test_swap_that_would_fill_the_disk_is_refused(machine):
    run = machine.play("site", "--tags=swap", "--check", ansible_vars={"swap_size_mb": 1 << 40})
    assert "must stay free" in run.failed[0]


@pytest.mark.parametrize(
    ("story", "damage"),
    [
        (story, name)
        for story in ("image", "host")
        for name, damage in DAMAGES.items()
        if story == "host" or not damage.needs_services
    ],
    indirect=["story"],
)
def test_damage_is_seen_and_mended(machine, damage):
    role, script, _, part = DAMAGES[damage]
    machine.damage(role, script)
    assert machine.verify(f"--tags={role}", verify_patience_seconds=1).failed
    machine.converge(f"--tags={part or role}")
    mended = machine.verify(f"--tags={role}")
    assert mended.status == 0, mended.failed or mended.output


@ON_HOST
def test_all_is_there_after_a_reboot(machine):
    machine.reboot()
    run = machine.verify()
    assert run.status == 0, run.failed or run.output


@ON_HOST
def test_host_that_configures_itself_gets_the_same(machine):
    """As at the boot of a fleet's instance: the distribution's own, older Ansible, no inventory, no SSH."""
    machine.shell("DEBIAN_FRONTEND=noninteractive apt-get install -qq -y ansible >/dev/null 2>&1")
    shared = machine.scratch / "shared"
    shutil.copytree(ANSIBLE, shared / "ansible", dirs_exist_ok=True)
    (shared / "variables.json").write_text(json.dumps({"ansible_vars": ANSIBLE_VARS, **machine.variables}))
    for playbook in ("site", "verify"):
        output = machine.shell(
            "cd /shared/ansible && ansible-playbook --connection local --inventory localhost,"
            f" --extra-vars @/shared/variables.json playbooks/{playbook}.yml"
        )
        assert "changed=0 " in output


@ON_HOST
def test_containers_do_not_reach_the_instance_metadata(machine):
    """From a network name space on Docker's bridge, which is what a container has."""
    machine.shell("apt-get install -qq -y iproute2 >/dev/null 2>&1; iptables -Z DOCKER-USER")
    machine.shell(
        "ip netns add probe && ip link add probe0 type veth peer name eth0 netns probe"
        " && ip link set probe0 master docker0 up && ip -n probe addr add 172.17.0.99/16 dev eth0"
        " && ip -n probe link set eth0 up && ip -n probe route add default via 172.17.0.1"
    )
    connect = "import socket; socket.create_connection(('169.254.169.254', 80), timeout=1)"
    answer = machine.shell(f'ip netns exec probe python3 -c "{connect}" 2>&1', check=False)
    machine.shell("ip netns delete probe")
    assert "TimeoutError" in answer
    dropped = machine.shell("iptables -vxnL DOCKER-USER | grep 169.254.169.254").split()
    assert int(dropped[0]) > 0


@ON_HOST
def test_rule_is_taken_away_when_it_is_not_wanted(machine):
    machine.converge("--tags=ecs_agent", ecs_agent_block_imds=False)
    assert "169.254" not in machine.shell("iptables -S DOCKER-USER; systemctl cat 'ecs-block*'", check=False)
    assert "IMDS" not in machine.shell("cat /etc/ecs/ecs.config")
    run = machine.verify("--tags=ecs_agent", ecs_agent_block_imds=False)
    assert run.status == 0, run.failed or run.output
    assert machine.converge("--tags=ecs_agent", ecs_agent_block_imds=False).changed == []
    machine.converge("--tags=ecs_agent")


@ON_IMAGE
@pytest.mark.parametrize(
    ("role", "variables"),
    [
        ("swap", {"swap_size_mb": "much"}),
        ("swap", {"swap_size_mb": -1}),
        ("swap", {"swap_file": "swap file"}),
        ("swap", {"swap_swappiness": 201}),
        ("ecs_agent", {"ecs_agent_cluster": "not/a/name"}),
        ("ecs_agent", {"ecs_agent_block_imds": "perhaps"}),
        ("ecs_agent", {"ecs_agent_settings": {"CLUSTER": "x"}}),
        ("cloudwatch_agent", {"cloudwatch_agent_log_group_prefix": "finbert-api/"}),
        ("cloudwatch_agent", {"cloudwatch_agent_log_files": [{"path": "/var/log/messages"}]}),
        ("cloudwatch_agent", {"cloudwatch_agent_interval_seconds": 0}),
        ("host_baseline", {"host_baseline_time_servers": []}),
        ("host_baseline", {"host_baseline_journal_max_mb": "all"}),
    ],
    ids=str,
)
def test_bad_values_are_refused(story, role, variables):
    run = story.host.play("site", f"--tags={role}", "--check", **variables)
    assert run.status != 0
    assert run.changed == []


@ON_IMAGE
def test_package_with_another_digest_is_refused(story):
    run = story.host.play("site", "--tags=ecs_agent", ecs_agent_deb_checksum=f"sha256:{'0' * 64}")
    assert "ecs_agent_deb" not in str(run.changed)
    assert "checksum" in run.failed[0]


def test_configuration_that_the_agent_refuses_is_not_put_in_place(machine):
    before = machine.shell(f"cat {CLOUDWATCH_CONFIG}")
    run = machine.play("site", "--tags=cloudwatch_agent", cloudwatch_agent_namespace="")
    assert run.failed[0].startswith("cloudwatch_agent : Configure the agent")
    assert machine.shell(f"cat {CLOUDWATCH_CONFIG}") == before
