"""Lets the tests here import what the tests of the packages share."""

import sys
from pathlib import Path

for _folder in ("simclr_core", "ablations", "end_to_end", "sweeps", "reports"):
    sys.path.insert(0, str(Path(__file__).parents[1] / _folder))
