"""What a driver logged about a study besides its records; it is saved so that MLflow can be rebuilt."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweeps.storage import Store, read_json, write_json

_FIELDS = ("cells", "verdicts", "cell_verdicts", "numbers", "answer", "note")


def save_logged(store: Store, label: str, last: Mapping[str, Any], metric: str) -> None:
    """Saves the message with which a driver settled or closed a study."""
    files = [
        str(Path(file).relative_to(store.path))
        for file in last.get("files") or ()
        if Path(file).is_relative_to(store.path)
    ]
    about = {name: last.get(name) for name in _FIELDS}
    if any(about.values()) or files:
        write_json(store.study(label) / "tracked.json", {**about, "files": files, "metric": metric})


def load_logged(store: Store, label: str) -> dict[str, Any]:
    """The saved message; empty if there is none."""
    about = read_json(store.study(label) / "tracked.json")
    if not isinstance(about, dict):
        return {}
    files = [store.path / name for name in about.get("files") or ()]
    return {**about, "files": [str(file) for file in files if file.is_file()]}
