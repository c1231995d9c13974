"""What the tests of the trainer share: the helpers beside them, and real images at hand."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
