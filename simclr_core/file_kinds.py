"""The kind of a file, determined before opening it: reading a FIFO waits, reading /dev/zero never ends."""

import stat
from pathlib import Path

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
)


def not_a_file(path: Path) -> str | None:
    """The kind of a path that is not a regular file, such as "a FIFO"; None if it is a regular file.

    Links are followed.

    Raises:
        OSError: the path does not exist.
    """
    mode = path.stat().st_mode
    if stat.S_ISREG(mode):
        return None
    return next((kind for test, kind in _KINDS if test(mode)), "not a regular file")
