"""What a GPU does with this project: agreement with the CPU, speed, and how far from the limits.

`make bench-gpu`, or `python tests/benchmarks/gpu [--only agreement,packs] [--json FILE]`: one table
and one JSON file in under four minutes. It needs torch, torchvision, numpy and pydantic, nothing else;
lightly's loop is timed too where lightly is installed. Without a GPU, `--miniature` runs the same code
in seconds.
"""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(TESTS.parent), str(TESTS)]

if __name__ == "__main__":
    from benchmarks.gpu.command import main

    sys.exit(main())
