"""Keeps the garbage collector away from thousands of records that are needed to the end."""

import contextlib
import gc
from collections.abc import Generator


@contextlib.contextmanager
def unsearched() -> Generator[None]:
    """What the block reads is needed until the command ends, so the collector does not search it.

    It would search all of it again and again: a third to a half of the processor time of `status`,
    `plan` and `report` at 10,000 records. What is dropped without a cycle is freed at once all the
    same. `searched_again` is called when the command ends.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def searched_again() -> None:
    """Undoes `unsearched`: some libraries complain at exit about objects that were never freed."""
    gc.unfreeze()
