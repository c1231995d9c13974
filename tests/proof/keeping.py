"""Results that were obtained here: .proof/results.json, which is no part of the repository."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from proof.judging import GREEN, RED, Row

NOT_HERE, STALE = "not proven here", "stale: what it covers has changed"
PROVEN, OPEN, NOT_GREEN = "proven", "proven but for what was skipped", "red"


class Results:
    """Of each part the last result, with the hash of what it was obtained from."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> dict[str, Any]:
        """Empty where nothing was kept, or what was kept cannot be read."""
        try:
            kept = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        whole = isinstance(kept, dict)
        return {name: one for name, one in kept.items() if _sound(one)} if whole else {}

    def keep(self, part: str, result: dict[str, Any]) -> None:
        """Writes one part's result next to the others, whole or not at all."""
        self._file.parent.mkdir(exist_ok=True)
        kept = {**self.read(), part: result}
        with tempfile.NamedTemporaryFile(
            "w", dir=self._file.parent, delete=False, encoding="utf-8"
        ) as file:
            json.dump(kept, file, indent=1)
        os.replace(file.name, self._file)  # noqa: PTH105 -- a name, no path

    def state(self, part: str, mark: str) -> str:
        """What is known here of a part that now has this hash."""
        if (result := self.read().get(part)) is None:
            return NOT_HERE
        if result["covers"] != mark:
            return STALE
        states = {Row(*row).state for row in result["rows"]}
        if RED in states or not states:
            return NOT_GREEN
        return PROVEN if states == {GREEN} else OPEN


def _sound(result: Any) -> bool:
    if not isinstance(result, dict) or not isinstance(result.get("covers"), str):
        return False
    rows = result.get("rows")
    return isinstance(rows, list) and all(isinstance(r, list) and len(r) == 4 for r in rows)
