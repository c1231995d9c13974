"""The page's Python runs from top to bottom on a store that holds the study's records."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import recorded, the_plan

PAGE = Path(__file__).parents[3] / "ablations/notebook/README.md"


@pytest.mark.proof
def test_the_code_of_the_page_runs_as_it_stands(here: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    curve = {"curve": {"step": [1, 2], "loss": [2.0, 1.0]}}
    plan = the_plan("quickstart", scale="smoke")
    recorded(Path("runs"), plan, **{cell.name: curve for cell in plan.cells if cell.role == "arm"})
    (here / "page.py").write_text("\n".join(blocks), encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "page.py"],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(PAGE.parents[2]), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert len(blocks) == 6
    assert "nothing to run" in done.stdout
    assert (
        f"{{'finished': {len(plan.trials)}, 'no number': 0, 'failed': 0, 'missing': 0}}"
        in done.stdout
    )
    assert r"\begin{tabular}" in done.stdout
    assert "'differences.pdf', 'differences.svg'" in done.stdout
