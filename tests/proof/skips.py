"""Which tests may be skipped, and for which reason: the rows of tests/SKIPS.md."""

import re
from pathlib import Path


def listed(page: Path) -> dict[str, str]:
    """The beginning of a test's id -> words that the reason must contain."""
    if not page.exists():
        return {}
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", page.read_text("utf-8"), re.MULTILINE)
    return {test: reason.strip() for test, reason in rows}


def allowed(test: str, reason: str, rows: dict[str, str]) -> bool:
    """Whether a row allows this skip."""
    return any(test.startswith(start) and words in reason for start, words in rows.items())
