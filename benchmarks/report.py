"""What is left of a benchmark: a JSON file and a picture in a folder, and the last line on standard output."""

import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version as library_version
from pathlib import Path

from matplotlib.figure import Figure

RESULTS = Path(__file__).parent / "results"
_PROCESSORS = Path("/proc/cpuinfo")


def keep(name: str, figures: Mapping[str, object], picture: Figure, folder: Path) -> None:
    """Writes `folder`/`name`.json and .png, and prints the figures as one line of JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    picture.savefig(folder / f"{name}.png", dpi=120)
    print(json.dumps(figures))


def machine(processors: int) -> dict[str, object]:
    """Where and when something was measured: the processor's name, how many of them, the date, ONNX Runtime."""
    try:
        lines = _PROCESSORS.read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "processors": processors,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "onnxruntime": library_version("onnxruntime"),
    }


def paired_bars(title: str, unit: str, pairs: Mapping[str, tuple[float, float]], legend: tuple[str, str]) -> Figure:
    """A picture with two bars for each name, and the second's ratio to the first beside them."""
    picture = Figure(figsize=(9, 1.5 + 0.45 * len(pairs)), layout="constrained")
    axes = picture.subplots()
    for index, label in enumerate(legend):
        positions = [position + 0.4 * index for position in range(len(pairs))]
        axes.barh(positions, [pair[index] for pair in pairs.values()], height=0.38, label=label)
    for position, (first, second) in enumerate(pairs.values()):
        axes.text(max(first, second), position + 0.2, f" {second / first:.2f}x", va="center")
    axes.set_yticks([position + 0.2 for position in range(len(pairs))], list(pairs))
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.set(title=title, xlabel=unit)
    axes.legend()
    return picture


def bars(title: str, unit: str, values: Mapping[str, float]) -> Figure:
    """A picture with a bar and its figure for each name."""
    picture = Figure(figsize=(9, 1.5 + 0.35 * len(values)), layout="constrained")
    axes = picture.subplots()
    drawn = axes.barh(list(values), list(values.values()))
    axes.bar_label(drawn, fmt="%.3g", padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.set(title=title, xlabel=unit)
    return picture
