"""The launches of a study and its last plan, so that its state can be shown without planning."""

import contextlib
import json
import secrets
import time
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
    about: Any = read_json(store.study(label) / "plan.json")
    # What this module wrote is not validated again: ten thousand trials would take a second.
    with contextlib.suppress(KeyError, TypeError):
        return Plan.model_construct(
            study=about["study"],
            scale=about["scale"],
            variation=about.get("variation", ""),
            command=about.get("command", ""),
            cells=tuple(Cell.model_construct(**cell) for cell in about["cells"]),
            trials=tuple(_trial(trial) for trial in about["trials"]),
        )
    return None


def studies(store: Store) -> list[str]:
    """The labels of all studies that were launched in a store, with each variation separately."""
    try:
        folders = sorted((store.path / "studies").iterdir())
    except OSError:
        return []
    labels: list[str] = []
    for folder in folders:
        if folder.name.startswith("."):  # a copy that an import did not finish
            continue
        about = read_json(folder / "plan.json")
        if isinstance(about, dict) and "study" in about:
            labels.append(label_of(about["study"], about.get("scale"), about.get("variation", "")))
    return labels


def _trial(about: dict[str, Any]) -> Trial:
    about["stages"] = tuple(Stage.model_construct(**stage) for stage in about["stages"])
    return Trial.model_construct(**about)
