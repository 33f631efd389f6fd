import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from infrastructure.ansible.base_system import base_system
from infrastructure.ansible.hosts import Host, Run, chroot_host, container_host, kernel_to_oneself, podman
from infrastructure.ansible.stand_ins import AGENTS, build_deb
from infrastructure.cache import cache_folder

# Not namespaced: what a playbook sets in a container is set on the machine, and is set back.
KERNEL_SETTINGS = ["vm.swappiness", "kernel.panic", "kernel.dmesg_restrict", "kernel.kptr_restrict"]


def need(*programs):
    """Skip where a machine cannot run these tests, and say why."""
    if os.geteuid() != 0:
        pytest.skip("needs root: makes file systems, containers and swap")
    if missing := [program for program in programs if shutil.which(program) is None]:
        pytest.skip(f"needs {', '.join(missing)}")


@pytest.fixture(scope="session")
def scratch():
    """A folder on a real disk: /tmp can be a memory file system, where no swap file and no device node may lie."""
    folder = cache_folder() / f"run-{os.getpid()}"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def kernel_settings():
    def path(name):
        return Path("/proc/sys", *name.split("."))

    before = {name: path(name).read_text() for name in KERNEL_SETTINGS}
    yield
    with kernel_to_oneself():
        for name, value in before.items():
            path(name).write_text(value)


@pytest.fixture(scope="session")
def swap_works(scratch):
    """Skip where the machine lends no swap, as inside some containers."""
    need("mkswap", "swapon")
    file = scratch / "probe"
    with file.open("wb") as writing:
        os.fchmod(writing.fileno(), 0o600)
        writing.write(bytes(1 << 20))
    subprocess.run(["mkswap", file], check=True, capture_output=True)
    with kernel_to_oneself():
        tried = subprocess.run(["swapon", file], check=False, capture_output=True, text=True)
        if tried.returncode:
            pytest.skip(f"needs a machine that may swap: {tried.stderr.strip()}")
        subprocess.run(["swapoff", file], check=True)


@pytest.fixture(scope="session")
def packages(scratch):
    need("dpkg-deb")
    folder = scratch / "packages"
    return [build_deb(name, files, folder) for name, files in AGENTS.items()]


@pytest.fixture(scope="session")
def fresh_image(scratch, packages):
    need("debootstrap", "chroot")
    folder = scratch / "image"
    folder.mkdir()
    with chroot_host(base_system(), folder, packages) as host:
        yield host


@pytest.fixture(scope="session")
def fresh_host(scratch, packages, kernel_settings, swap_works):
    need("debootstrap", "podman", "runc", "ssh", "ssh-keygen")
    folder = scratch / "host"
    folder.mkdir()
    reference = f"localhost/finbert-ansible-base:{os.getpid()}"
    podman("import", "--quiet", base_system(), reference)
    try:
        with container_host(reference, folder, packages) as host:
            yield host
    finally:
        podman("rmi", "--force", reference)


@dataclass
class Story:
    """A fresh machine and what happened to it, run after run."""

    host: Host
    before: str
    check: Run
    after_check: str
    first: Run
    second: Run
    verify: Run


@pytest.fixture(scope="session", params=["image", "host"])
def story(request):
    """Site.yml in check mode, twice for real, then verify.yml."""
    host = request.getfixturevalue(f"fresh_{request.param}")
    with kernel_to_oneself():
        before = host.state()
        check = host.play("site", "--check", "--diff")
        after_check = host.state()
    first, second, verify = host.play("site"), host.play("site"), host.play("verify")
    return Story(host, before, check, after_check, first, second, verify)


@pytest.fixture
def machine(story):
    """A configured machine; what a test that failed has left behind is mended first."""
    assert story.second.status == 0, story.second.failed or story.second.output
    if story.host.unusual:
        story.host.converge(*story.host.unusual)
    return story.host
