"""What is at a path, before it is opened: reading a FIFO waits, reading /dev/zero never ends."""

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
    """What a path is instead of a regular file, such as "a FIFO"; None where it is one.

    Links are followed.

    Raises:
        OSError: nothing is there.
    """
    mode = path.stat().st_mode
    if stat.S_ISREG(mode):
        return None
    return next((kind for test, kind in _KINDS if test(mode)), "no regular file")
