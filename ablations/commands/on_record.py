"""The histories of a store: studies and their variations, each with what was last run."""

import shlex
from itertools import pairwise
from typing import NamedTuple

from sweeps.history_label import label_of
from sweeps.planning import Plan
from sweeps.storage import Store, launch_history, plans

_CHANGES = ("--set", "--data")
"""The options that make a variation."""


class History(NamedTuple):
    """A study or a variation of it, at one scale."""

    study: str
    scale: str | None
    variation: str
    arms: int
    """Trials of arms on record; floors and controls may be shared with other histories."""
    trials: int
    """Trials of arms in the last plan."""
    command: str
    """The last `ablate run`, as typed in its folder; empty where none was recorded."""

    @property
    def label(self) -> str:
        """The name of its folder."""
        return label_of(self.study, self.scale, self.variation)

    @property
    def report(self) -> str:
        """The command that writes its report again; empty where no run was recorded."""
        return self.command.removesuffix(" --recompute").replace("ablate run ", "ablate report ", 1)

    @property
    def settings(self) -> str:
        """What it changes for all cells, as options; empty for a study as written."""
        words = shlex.split(self.command)
        pairs = pairwise(words)
        return shlex.join(word for pair in pairs if pair[0] in _CHANGES for word in pair)


def histories(store: Store) -> list[History]:
    """Every history that was launched in a store, by the name of its folder."""
    keys = {summary.key for summary in store.summaries()}
    return [_history(store, plan, keys) for plan in filter(None, plans(store).values())]


def _history(store: Store, plan: Plan, keys: set[str]) -> History:
    arms = [trial.key in keys for trial in plan.trials if trial.role == "arm"]
    command = plan.command
    if not command and (before := launch_history(store, plan.label)):
        command = str(before[-1].get("command") or "")
    return History(plan.study, plan.scale, plan.variation, sum(arms), len(arms), command)
