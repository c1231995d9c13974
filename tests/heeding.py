"""A command that Ctrl-C and a closed terminal reach, however the tests themselves were started.

A shell lets what it starts in the background ignore Ctrl-C, and `nohup` a closed terminal; both are
inherited, and tests that send these signals would wait in vain.
"""

import sys
from pathlib import Path

_PROGRAM = (
    "import os, signal, sys; "
    "[signal.signal(one, signal.SIG_DFL) for one in (signal.SIGINT, signal.SIGHUP)]; "
    "os.execvp(sys.argv[1], sys.argv[1:])"
)


def heeding(*words: str | Path) -> list[str]:
    """The words of a command, to be started with a new disposition of both signals."""
    return [sys.executable, "-c", _PROGRAM, *map(str, words)]
