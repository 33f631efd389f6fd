"""Machines to run playbooks on, and the running of playbooks."""

import fcntl
import hashlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from infrastructure.cache import cache_folder

ANSIBLE = Path(__file__).resolve().parents[3] / "ansible"
PODMAN = ["podman", "--cgroup-manager=cgroupfs", "--runtime=runc"]
LONGEST_PLAY_SECONDS = 900
# As Terraform's output `ansible_vars` gives it.
ANSIBLE_VARS = {
    "region": "eu-central-1",
    "cluster_name": "finbert-api-dev",
    "environment": "dev",
    "swap_size_mb": 64,
    "log_group_prefix": "/finbert-api/dev",
    "ssm_bucket": "finbert-api-dev-hosts",
    "tags": {"Project": "finbert-api", "Environment": "dev", "Role": "ecs-host"},
}


def podman(*arguments: str | Path) -> str:
    """What podman prints; it must succeed."""
    ran = subprocess.run([*PODMAN, *arguments], check=False, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def tool(name: str) -> str:
    """A program of the Python environment that runs the tests, or of the machine."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else name


@contextmanager
def kernel_to_oneself() -> Iterator[None]:
    """For who sets or compares swap and kernel settings: they are this machine's, whichever host of the tests it is."""
    with (cache_folder() / "kernel.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class AnsibleInMemory:
    """ansible-playbook in the folder of the project's playbooks, as ansible_in_memory.py runs it."""

    def __init__(self, scratch: Path) -> None:
        self._output, self._errors = scratch / "output", scratch / "errors"
        environment = os.environ | {
            "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_LOCAL_TEMP": str(scratch / "local"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(scratch / "ssh"),
            "ANSIBLE_PIPELINING": "true",
            # What a machine is does not change: it is asked once.
            "ANSIBLE_GATHERING": "smart",
            "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(scratch / "facts"),
        }
        program = [sys.executable, Path(__file__).with_name("ansible_in_memory.py")]
        self._process = subprocess.Popen(
            program,
            cwd=ANSIBLE,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, output and errors of the command."""
        assert self._process.stdin
        assert self._process.stdout
        request = {"arguments": arguments, "output": str(self._output), "errors": str(self._errors)}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answered, _, _ = select.select([self._process.stdout], [], [], LONGEST_PLAY_SECONDS)
        if not answered:
            os.killpg(self._process.pid, signal.SIGKILL)
        assert answered, f"longer than {LONGEST_PLAY_SECONDS} s: {arguments}"
        return int(self._process.stdout.readline()), self._output.read_text(), self._errors.read_text()

    def close(self) -> None:
        """End it; its own folders, such as that of packed modules, go with it."""
        self._process.communicate(timeout=60)


@dataclass
class Run:
    """What a playbook did to the one host."""

    status: int
    output: str
    changed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


@dataclass
class Host:
    """A machine that Ansible reaches, and that a test looks into by `shell`."""

    name: str
    connection: dict[str, str]
    shell_command: list[str]
    scratch: Path
    variables: dict[str, object]
    ansible: AnsibleInMemory
    unusual: set[str] = field(default_factory=set)  # options of site.yml for what may be otherwise than it leaves it

    def shell(self, script: str, *, check: bool = True) -> str:
        """Standard output of a script that runs on the host as root."""
        command = [*self.shell_command, "sh", "-c", script]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert not check or ran.returncode == 0, f"{script}: {ran.stdout}{ran.stderr}"
        return ran.stdout

    def play(
        self, playbook: str, *options: str, ansible_vars: dict[str, object] | None = None, **variables: object
    ) -> Run:
        """Run a playbook of the project, with Terraform's values and variables on top of the usual ones."""
        changes = playbook == "site" and "--check" not in options
        if changes and (variables or ansible_vars):
            self.unusual.update(options or ("--tags=all",))
        inventory = self.scratch / "inventory.json"
        inventory.write_text(json.dumps({"ecs_host": {"hosts": {self.name: self.connection}}}))
        extra = self.scratch / "variables.json"
        extra.write_text(
            json.dumps(
                {"ansible_vars": ANSIBLE_VARS | (ansible_vars or {}), **self.variables, **variables}, sort_keys=True
            )
        )
        with kernel_to_oneself() if changes and self.name == "host" else nullcontext():
            status, output, errors = self.ansible(
                f"playbooks/{playbook}.yml", "-i", str(inventory), "--extra-vars", f"@{extra}", *options
            )
        run = Run(status, output + errors)
        if "{" in output:
            for play in json.loads(output[output.index("{") :])["plays"]:
                for task in play["tasks"]:
                    result = task["hosts"].get(self.name, {})
                    if result.get("failed") and not result.get("ignored"):
                        run.failed.append(f"{task['task']['name']}: {result.get('msg')}")
                    elif result.get("changed"):
                        run.changed.append(task["task"]["name"])
        return run

    def converge(self, *options: str, **variables: object) -> Run:
        """Run site.yml, which must succeed."""
        run = self.play("site", *options, **variables)
        assert run.status == 0, run.failed or run.output
        if not variables and "--check" not in options:
            self.unusual.clear()
        return run

    def damage(self, role: str, script: str) -> None:
        """Run a script that makes something of a role otherwise than site.yml leaves it."""
        self.unusual.add(f"--tags={role}")
        with kernel_to_oneself():
            self.shell(script, check=False)

    def reboot(self) -> None:
        """Restart the machine; only a container can. In one, systemd leaves swap alone: done by hand."""
        with kernel_to_oneself():
            self.shell(f"swapoff {self.variables['swap_file']}")
            podman("restart", "--time", "30", self.shell_command[-1])
            self.connection["ansible_host"] = address_when_up(self)
            self.shell("swapon --all")

    def verify(self, *options: str, **variables: object) -> Run:
        """Run verify.yml; the caller judges."""
        return self.play("verify", *options, **variables)

    def state(self) -> str:
        """Everything that a playbook could change: files but for logs and caches, swap, kernel settings, services."""
        volatile = (
            "/proc /sys /dev /run /tmp /var/tmp /var/log /var/lib/systemd /var/lib/sudo /var/lib/chrony /var/lib/docker"
            " /var/lib/containerd /root/.ansible /home/admin"
        )
        pruned = " -o ".join(f"-path {path}" for path in volatile.split())
        return self.shell(
            rf"find / \( {pruned} \) -prune -o -not -type d -not -name '*.pyc' -printf '%p %s %m %u %T@\n' | sort;"
            "awk '{print $1, $3}' /proc/swaps; cat /proc/sys/vm/swappiness /proc/sys/kernel/panic;"
            "systemctl list-unit-files --no-pager --no-legend 2>&1 | sort"
        )


def placed(packages: list[Path], root: Path) -> dict[str, object]:
    """The role variables for the agents' packages, which are copied into a machine's file system."""
    (root / "opt/packages").mkdir(parents=True)
    variables: dict[str, object] = {}
    for package, role in zip(packages, ("ecs_agent", "cloudwatch_agent"), strict=True):
        shutil.copy(package, root / "opt/packages")
        variables[f"{role}_deb_url"] = f"file:///opt/packages/{package.name}"
        variables[f"{role}_deb_checksum"] = f"sha256:{hashlib.sha256(package.read_bytes()).hexdigest()}"
    return variables


@contextmanager
def chroot_host(tar: Path, scratch: Path, packages: list[Path]) -> Iterator[Host]:
    """A machine as an image builder sees it: files without running services."""
    root = scratch / "root"
    root.mkdir()
    subprocess.run(["tar", "--extract", "--file", tar, "--directory", root], check=True, timeout=300)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    (root / "var/swap").mkdir()
    variables = placed(packages, root)
    connection = {"ansible_connection": "community.general.chroot", "ansible_host": str(root), "ansible_user": "root"}
    subprocess.run(["mount", "-t", "proc", "proc", root / "proc"], check=True)
    variables |= {"swap_file": "/var/swap/swapfile"}
    try:
        with closing(AnsibleInMemory(scratch)) as ansible:
            yield Host("image", connection, ["chroot", str(root)], scratch, variables, ansible)
    finally:
        subprocess.run(["umount", root / "proc"], check=True)
        shutil.rmtree(root)


def eventually(holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def address_when_up(host: Host) -> str:
    """The address of a container, when it can be reached over SSH there."""
    eventually(lambda: host.shell("systemctl is-active ssh.service", check=False) == "active\n", "SSH never came up")
    return podman("inspect", "--format", "{{.NetworkSettings.IPAddress}}", host.shell_command[-1])


@contextmanager
def container_host(image: str, scratch: Path, packages: list[Path]) -> Iterator[Host]:
    """A machine whose init is systemd, reached over SSH as a user who may use sudo."""
    name = f"finbert-ansible-{os.getpid()}-{scratch.name}"
    shared = scratch / "shared"
    (shared / "swap").mkdir(parents=True)
    variables = placed(packages, shared)
    key = scratch / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    start = (
        "mkdir -p /home/admin/.ssh && install -o admin -m 600 /shared/key.pub /home/admin/.ssh/authorized_keys"
        # What a real machine would catch up on after a long time switched off is not for a test to wait for.
        " && mkdir -p /var/lib/systemd/timers && cd /lib/systemd/system"
        ' && for timer in *.timer; do touch "/var/lib/systemd/timers/stamp-$timer"; done; exec /sbin/init'
    )
    shutil.copy(key.with_suffix(".pub"), shared / "key.pub")
    volumes = {shared: "/shared", shared / "swap": "/var/swap", shared / "opt/packages": "/opt/packages"}
    podman(
        *("run", "--detach", "--name", name, "--privileged", "--systemd=always"),
        # podman would ask for more than a container's own runtime may give.
        *("--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096"),
        # Swap does not work on the container's own layered file system.
        *(f"--volume={folder}:{place}" for folder, place in volumes.items()),
        *(image, "sh", "-c", start),
    )
    shell = [*PODMAN, "exec", name]
    try:
        connection = {
            "ansible_user": "admin",
            "ansible_ssh_private_key_file": str(key),
            "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
        }
        with closing(AnsibleInMemory(scratch)) as ansible:
            host = Host("host", connection, shell, scratch, variables | {"swap_file": "/var/swap/swapfile"}, ansible)
            connection["ansible_host"] = address_when_up(host)
            yield host
    finally:
        # A swap file outlives its container in the kernel, and keeps the disk space.
        with kernel_to_oneself():
            subprocess.run([*shell, "swapoff", "/var/swap/swapfile"], check=False, capture_output=True, timeout=60)
        podman("rm", "--force", "--volumes", "--time", "0", name)
