"""Files of custom components that a plan's trials execute, and their text for the workers."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ablations.compose.identity import ENCODER
from simclr_core.plugins import files_of, known_text
from sweeps.planning import Plan, Trial


class Executed(NamedTuple):
    """A file that a run would execute."""

    path: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.path} ({self.sha256[:12]})"


def executed(plan: Plan, artifacts: Mapping[str, frozenset[str]]) -> list[Executed]:
    """The files that running this plan would execute, each once, in the order of the trials.

    If an encoder is stored, or nothing is trained, these are only the encoder's file, the files of the
    evaluation, and the head's file if one of its layers is evaluated.
    """
    here = artifacts.get(ENCODER, frozenset())
    found: dict[Executed, None] = {}
    for trial in plan.todo:
        at_hand = bool(trial.stages) and trial.stages[0].key in here and not trial.rerun
        trains = trial.config["epochs"] > 0 and not at_hand
        read = ("encoder", "evaluation") + ("head",) * (trial.config["evaluation"]["layer"] != "h")
        for part in files_of(trial.config):
            if trains or part.field.partition(".")[0] in read:
                one = Executed(part.settings["path"], part.settings["sha256"])
                found.setdefault(one)
    return list(found)


def own_texts(trials: Iterable[Trial]) -> dict[str, str]:
    """Hash -> text of all files that the trials' configurations name: the workers' own copy.

    They were read when the plan was made, and are sent with the trials. A worker therefore executes
    exactly the hashed bytes, even if the file has changed or the worker cannot read it.
    """
    hashes = {part.settings["sha256"] for trial in trials for part in files_of(trial.config)}
    texts = {sha256: known_text(sha256) for sha256 in sorted(hashes)}
    return {sha256: text for sha256, text in texts.items() if text is not None}


def part_text(part: Mapping[str, Any]) -> str:
    """A component in words: `margin of losses.py (0123456789ab)`, without its folder.

    Settings that were not resolved have no hash.
    """
    file = Path(str(part.get("path"))).name
    digest = part.get("sha256")
    return f"{part.get('name')} of {file}" + (f" ({str(digest)[:12]})" if digest else "")
