"""How the tests of the infrastructure share processes, and what they tell beside whether they passed."""

import re
from pathlib import PurePath

from xdist.scheduler import LoadScopeScheduling

MACHINE = re.compile(r"[\[-](image|host)[\]-]")
IMAGE = {"test_container.py", "test_deployment.py", "test_image.py"}


class SideBySide(LoadScopeScheduling):
    """Tests of one machine, applied environment or image share a process; any other runs where there is room."""

    def _split_scope(self, nodeid):
        path, _, name = nodeid.partition("::")
        match PurePath(path).name:
            case "test_playbooks.py":
                return "machine " + MACHINE.search(name)[1]
            case "test_applied.py" | "test_life.py":
                return "environments"
            case file if file in IMAGE:
                return "image"
            case "test_workflows.py" as file:
                return file
        return nodeid


def pytest_xdist_make_scheduler(config, log):
    """Takes the place of pytest-xdist's groups by mark, which have no effect since pytest 9."""
    return SideBySide(config, log)


def pytest_terminal_summary(terminalreporter):
    """Shows the figures that tests recorded: what a process beside this one prints is lost."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "figures":
                terminalreporter.write_line(value)
