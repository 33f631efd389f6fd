"""buildah and podman for the tests: a storage of their own, a base image that needs no registry, the image itself.

No registry can be relied on, so the base of the Dockerfile is a stand-in: Debian bookworm by debootstrap with Debian's
Python 3.11, imported under the name that FROM uses. What differs from python:3.11-slim-bookworm is where Python lies
and how large it is. The storage outlives the tests: what did not change is not built again.
"""

import ast
import fcntl
import hashlib
import inspect
import os
import re
import shutil
import subprocess
import sys
import tempfile
from configparser import RawConfigParser
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from infrastructure.cache import cache_folder

from finbert_api.settings import PROJECT_ROOT

DOCKERFILE = PROJECT_ROOT / "Dockerfile"
BASE_IMAGE = re.search(r"^ARG BASE_IMAGE=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)[1]
BASE_PACKAGES = "ca-certificates,python3,python3-pip,python3-venv"
DEBIAN_MIRROR = "http://deb.debian.org/debian"
VERSION, REVISION = "1.2.3", "0123456789abcdef0123456789abcdef01234567"
IMAGE = "localhost/finbert-api:tests"
TOOLS = ("buildah", "debootstrap", "podman", "runc")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
STORAGE = cache_folder() / "containers"
# What is mounted until the machine restarts; podman takes no path here that is longer than 50 characters.
MOUNTED = Path("/run") / f"finbert-tests-{hashlib.sha256(bytes(STORAGE)).hexdigest()[:8]}"
ENVIRONMENT = os.environ | {"CONTAINERS_CONF": str(Path(__file__).with_name("containers.conf"))}
# For what the programs themselves do; a build from nothing takes a minute or two.
LONGEST_SECONDS = 1200


def require_tools():
    """Skips the test on a machine that can't build and run containers this way."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    if os.geteuid() != 0:
        pytest.skip("debootstrap and containers without a registry need root")


def run(*command, check=True, timeout=LONGEST_SECONDS, **options):
    """Runs a program to its end; a failure shows what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout, **options)
    if check and done.returncode != 0:
        said = f"{done.stdout[-4000:]}{done.stderr[-4000:]}"
        raise AssertionError(f"{' '.join(map(str, command))}: {done.returncode}\n{said}")
    return done


def _storage_options():
    return ("--root", str(STORAGE / "root"), "--runroot", str(MOUNTED))


def podman(*arguments, **options):
    """Runs podman over the tests' own storage."""
    return run("podman", *_storage_options(), *arguments, env=ENVIRONMENT, **options)


def buildah(*arguments, **options):
    """Runs buildah over the tests' own storage."""
    return run("buildah", *_storage_options(), *arguments, env=ENVIRONMENT, **options)


@contextmanager
def _locked(name):
    """One process at a time; others find what it made."""
    STORAGE.mkdir(parents=True, exist_ok=True)
    with (STORAGE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def image_exists(name):
    return podman("image", "exists", name, check=False).returncode == 0


def _make_base(name):
    """The stand-in as an image, from nothing."""
    with tempfile.TemporaryDirectory(prefix="finbert-base-") as folder:
        root = Path(folder) / "root"
        run("debootstrap", "--variant=minbase", f"--include={BASE_PACKAGES}", "bookworm", str(root), DEBIAN_MIRROR)
        for leftovers in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(root / leftovers)
        for program in ("python", "python3"):
            (root / "usr/local/bin" / program).symlink_to("/usr/bin/python3")
        archive = Path(folder) / "base.tar"
        run("tar", "--create", "--file", str(archive), "--directory", str(root), ".")
        podman("import", str(archive), name)


def _import_base():
    """The stand-in under the name that FROM uses; made again when what it is made from, or by, is another."""
    recipe = f"{BASE_PACKAGES} {DEBIAN_MIRROR} {inspect.getsource(_make_base)}"
    kept = f"localhost/debian-python:{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"
    if not image_exists(kept):
        _make_base(kept)
    podman("tag", kept, BASE_IMAGE)


@contextmanager
def _pip_of_this_machine():
    """buildah's options by which pip in the build finds packages as pip does here: its configuration, files and CAs."""
    found = {}
    for line in run(sys.executable, "-m", "pip", "config", "list").stdout.splitlines():
        name, _, value = line.partition("=")
        # The environment's, which are listed first, count before a file's.
        found.setdefault(name.rpartition(".")[2], ast.literal_eval(value).strip())
    if CERTIFICATES.is_file():
        found.setdefault("cert", str(CERTIFICATES))
    words = [word for value in found.values() for word in value.split()]
    paths = {word for word in words if word.startswith("/")}
    # The pages of an index link to files beside the index.
    paths |= {str(Path(word.removeprefix("file://")).parent) for word in words if word.startswith("file://")}
    configuration = RawConfigParser()
    configuration["global"] = found
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        configuration.write(file)
        file.flush()
        volumes = [f"{file.name}:/etc/pip.conf:ro", *(f"{path}:{path}:ro" for path in paths if Path(path).exists())]
        yield [option for volume in volumes for option in ("--volume", volume)]


def build(tag, *options, context=PROJECT_ROOT):
    """Builds the Dockerfile under this tag, with the bundled model, for that one needs no PyTorch and no model hub."""
    with _pip_of_this_machine() as mounts:
        buildah(
            "bud", "--isolation=chroot", "--pull-never", "--format=docker", "--layers", *mounts,
            "--build-arg=MODEL=bundled", f"--build-arg=VERSION={VERSION}", f"--build-arg=REVISION={REVISION}",
            *options, f"--tag={tag}", f"--file={DOCKERFILE}", str(context),
        )  # fmt: skip


@cache
def built_image():
    """The image's name, after its build in this run of the tests."""
    require_tools()
    with _locked("build"):
        _import_base()
        build(IMAGE)
        # What no build of this week used.
        podman("image", "prune", "--force", "--filter=until=168h")
    return IMAGE
