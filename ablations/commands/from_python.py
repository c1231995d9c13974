"""The parts of commands that Python calls use too; their slow imports are inside."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ablations.commands.options import How
    from ablations.commands.report import Recorded
    from ablations.commands.run import Performed
    from ablations.study import Request
    from reports.comparing import Side


def perform_run(request: "Request", given: "How", *, tracking: str | None) -> "Performed":
    """`ablate run` without an exit code; see `ablations.commands.run.perform`."""
    from ablations.commands.collector import searched_again
    from ablations.commands.run import perform

    try:
        return perform(request, tracking=tracking, **given)
    finally:
        searched_again()  # a notebook goes on for hours


def recorded_evidence(request: "Request") -> "Recorded":
    """The evidence of `ablate report`; see `ablations.commands.report.recorded`."""
    from ablations.commands.collector import searched_again
    from ablations.commands.report import recorded

    try:
        return recorded(request)
    finally:
        searched_again()


def compared_sides(store: "Path", names: "Sequence[str]") -> "tuple[Side, ...]":
    """The sides of `ablate compare`; see `ablations.commands.sides_by_name.compared`."""
    from ablations.commands.collector import searched_again
    from ablations.commands.sides_by_name import compared

    try:
        return compared(store, names).sides
    finally:
        searched_again()
