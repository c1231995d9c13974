"""The README's Python blocks run as they stand, one after the other."""

import re
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "sweeps" / "README.md"


def test_the_blocks_of_the_readme_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    scope: dict[str, object] = {}

    for block in blocks:
        exec(compile(block, str(README), "exec"), scope)
