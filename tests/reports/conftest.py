"""Lets the tests here import `made_evidence`, which stands beside them and is no package."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
