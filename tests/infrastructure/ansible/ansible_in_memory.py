"""ansible-playbook without its start: loaded once, and forked for each run that a line of standard input asks for.

Most of what a short run costs is loading Ansible, and packing modules that the run before packed as well; a fork has
both from its parent. A line is a JSON object: the command's `arguments`, and the files `output` and
`errors` for what it writes. The answer is a line with its exit status.
"""

import json
import os
import sys

# What a run would load first, so that its fork has it.
from ansible.cli.playbook import main
from ansible.executor import module_common, playbook_executor, task_executor  # noqa: F401
from ansible.module_utils import urls  # noqa: F401
from ansible.plugins.action import normal  # noqa: F401
from ansible.plugins.callback import default  # noqa: F401
from ansible.plugins.connection import ssh  # noqa: F401
from ansible.plugins.strategy import linear  # noqa: F401

WRITING = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def run(arguments, output, errors):
    """The exit status of the command, which runs in a fork."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        for number, (path, flags) in enumerate([(os.devnull, os.O_RDONLY), (output, WRITING), (errors, WRITING)]):
            os.dup2(os.open(path, flags, 0o600), number)
        main(["ansible-playbook", *arguments])
    except SystemExit as exit_of_command:
        status = exit_of_command.code if isinstance(exit_of_command.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Not `exit`, which would remove the folder of packed modules that the next run has use for.
        os._exit(status)


if __name__ == "__main__":
    for line in sys.stdin:
        print(run(**json.loads(line)), flush=True)  # noqa: T201 - the answer
