"""What a driver logged about a study besides its records; it is saved so that MLflow can be rebuilt."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweeps.storage import Store, read_json, write_json

_FIELDS = ("cells", "verdicts", "cell_verdicts", "numbers", "answer", "note")


def save_logged(store: Store, label: str, last: Mapping[str, Any], metric: str) -> None:
    """Saves the message with which a driver settled or closed a study.

    One without files, such as one that settles, leaves those that were logged before.
    """
    about, new = {name: last.get(name) for name in _FIELDS}, last.get("files")
    files = [
        str(Path(file).relative_to(store.path))
        for file in new or logged_files(store, label)
        if Path(file).is_relative_to(store.path)
    ]
    if any(about.values()) or new:
        write_json(store.study(label) / "tracked.json", {**about, "files": files, "metric": metric})


def load_logged(store: Store, label: str) -> dict[str, Any]:
    """The saved message; empty if there is none."""
    about = _saved(store, label)
    if not about:
        return {}
    return {**about, "files": [str(file) for file in logged_files(store, label) if file.is_file()]}


def logged_files(store: Store, label: str) -> list[Path]:
    """The files that the study's run has from an earlier launch, whether or not they still exist."""
    return [store.path / name for name in _saved(store, label).get("files") or ()]


def _saved(store: Store, label: str) -> dict[str, Any]:
    about = read_json(store.study(label) / "tracked.json")
    return about if isinstance(about, dict) else {}
