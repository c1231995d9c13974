"""When failures stop a launch: what fails in every cell alike is not the fault of a trial."""

from collections.abc import Iterable
from typing import NamedTuple

from sweeps.record import State


class TrialEnd(NamedTuple):
    """How one trial of a launch ended."""

    cell: str
    state: State
    error: str | None


def common_failure(ends: Iterable[TrialEnd], slots: int) -> str | None:
    """The message that stops a launch, given its trials in the order in which they ended.

    The first trials, one more than run at a time and two at least, belong to different cells and
    failed with the same error. A trial that finished before them shows that trials can, and then
    the launch goes on whatever fails.
    """
    count = max(2, slots + 1)
    first = list(ends)[:count]
    cells = list(dict.fromkeys(end.cell for end in first))
    if len(first) < count or len(cells) < 2:
        return None
    errors = {end.error for end in first}
    if any(end.state == "finished" for end in first) or len(errors) > 1:
        return None
    named = ", ".join(map(repr, cells[:3])) + (f" and {len(cells) - 3} more" if cells[3:] else "")
    return (
        f"the first {count} trials (cells {named}) all failed with the same error and none finished:"
        f" {errors.pop()}; the launch stopped before the others. Fix the cause, then run again with"
        " --failed"
    )
