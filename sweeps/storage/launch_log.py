"""The launches of a study and its last plan, so that its state can be shown without planning."""

import contextlib
import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

from sweeps.history_label import label_of
from sweeps.planning import Cell, Plan, Trial
from sweeps.record import Stage
from sweeps.storage.atomic_io import as_store_error, read_json, write_bytes
from sweeps.storage.store import Store


def new_launch() -> str:
    """A name for a launch that sorts by time."""
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"


def log_launch(store: Store, label: str, **facts: Any) -> None:
    """Adds a line to the study's launches."""
    file = store.study(label) / "launches.jsonl"
    with as_store_error(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(facts, ensure_ascii=False) + "\n")


def launch_history(store: Store, label: str) -> list[dict[str, Any]]:
    """The launches of a study in order, each with its beginning and, unless killed, its end."""
    try:
        text = (store.study(label) / "launches.jsonl").read_text(encoding="utf-8")
    except OSError:
        return []
    found: dict[str, dict[str, Any]] = {}
    for line in text.splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            facts = json.loads(line)
            found.setdefault(facts["launch"], {}).update(facts)
    return list(found.values())


def save_plan(store: Store, plan: Plan) -> None:
    """Saves the plan of a study's latest launch."""
    file = store.study(plan.label) / "plan.json"
    with as_store_error(file):
        write_bytes(file, plan.model_dump_json().encode())


def load_plan(store: Store, label: str) -> Plan | None:
    """The plan of the latest launch; None if there was none or it is torn. Quick."""
    return _plan(read_json(store.study(label) / "plan.json"))


def plans(store: Store) -> dict[str, Plan | None]:
    """The label of each study in `studies`, and its plan as from `load_plan`; each file is read once."""
    return {label: _plan(about) for label, about in _launched(store)}


def studies(store: Store) -> list[str]:
    """The labels of all studies that were launched in a store, with each variation separately."""
    return [label for label, _ in _launched(store)]


def _launched(store: Store) -> Iterator[tuple[str, dict[str, Any]]]:
    """Label and content of each plan that names its study."""
    try:
        folders = sorted((store.path / "studies").iterdir())
    except OSError:
        return
    for folder in folders:
        if folder.name.startswith("."):  # a copy that an import did not finish
            continue
        about = read_json(folder / "plan.json")
        if isinstance(about, dict) and "study" in about:
            label = label_of(about["study"], about.get("scale"), about.get("variation", ""))
            yield label, about


def _plan(about: Any) -> Plan | None:
    # What this module wrote is not validated again: ten thousand trials would take a second.
    with contextlib.suppress(KeyError, TypeError):
        return Plan.model_construct(
            study=about["study"],
            scale=about["scale"],
            variation=about.get("variation", ""),
            command=about.get("command", ""),
            cells=tuple(Cell.model_construct(**cell) for cell in about["cells"]),
            trials=tuple(map(_trial, about["trials"])),
        )
    return None


def _trial(about: dict[str, Any]) -> Trial:
    about["stages"] = tuple(map(Stage.trusted, about["stages"]))
    return Trial.trusted(about)
