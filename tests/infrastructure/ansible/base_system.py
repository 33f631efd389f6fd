"""The empty Debian that the playbook is run on: made once by debootstrap, kept as a tar by its content."""

import fcntl
import hashlib
import subprocess
from pathlib import Path

from infrastructure.cache import cache_folder

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
# What every cloud image has before anybody configures it.
PACKAGES = "ca-certificates,dbus,openssh-server,python3,python3-apt,sudo,systemd,systemd-sysv"
# What the playbook installs lies ready in apt's cache, so that a run does not wait for the mirror.
FETCHED = ["ansible", "chrony", "docker.io", "iproute2", "iptables", "logrotate", "procps", "unattended-upgrades"]
RECIPE = rf"""
set -eu
root=$1
debootstrap --variant=minbase --include={PACKAGES} {SUITE} "$root" {MIRROR}
echo 'deb {MIRROR} {SUITE} main' > "$root/etc/apt/sources.list"
echo 'deb {MIRROR}-security {SUITE}-security main' >> "$root/etc/apt/sources.list"
echo 'APT::Install-Recommends "false";' > "$root/etc/apt/apt.conf.d/01tests"
rm -f "$root/var/cache/apt/archives/"*.deb
chroot "$root" apt-get update -qq
chroot "$root" apt-get install -qq -y --download-only {" ".join(FETCHED)}
echo 'Defaults !lecture' > "$root/etc/sudoers.d/admin"
echo 'admin ALL=(ALL) NOPASSWD: ALL' >> "$root/etc/sudoers.d/admin"
chroot "$root" useradd --create-home --shell /bin/bash admin
# The clock is the machine's, and not for a test to set.
echo 'DAEMON_OPTS="-F 1 -x"' > "$root/etc/default/chrony"
"""


def base_system() -> Path:
    """The tar of the base system, from the cache or made now; two test runs at a time make one."""
    tar = cache_folder() / f"debian-{hashlib.sha256(RECIPE.encode()).hexdigest()[:16]}.tar"
    with tar.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tar.exists():
            root = tar.with_suffix(".root")
            subprocess.run(["rm", "-rf", root], check=True)
            command = ["sh", "-c", RECIPE, "sh", root]
            made = subprocess.run(command, check=False, capture_output=True, text=True, timeout=900)
            assert made.returncode == 0, made.stdout[-2000:] + made.stderr[-2000:]
            part = tar.with_suffix(".part")
            subprocess.run(["tar", "--create", "--file", part, "--directory", root, "."], check=True, timeout=300)
            subprocess.run(["rm", "-rf", root], check=True)
            part.rename(tar)
    return tar
