"""What the tests of the infrastructure tell beside whether they passed."""


def pytest_terminal_summary(terminalreporter):
    """Shows the figures that tests recorded: what a process beside this one prints is lost."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "figures":
                terminalreporter.write_line(value)
