"""Lets the tests here import `driving`, which stands next to them, and what those of `ablate` share."""

import sys
from pathlib import Path

for _folder in ("ablations", "end_to_end"):
    sys.path.insert(0, str(Path(__file__).parents[1] / _folder))
