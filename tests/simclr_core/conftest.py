"""What the tests of the trainer share: the helpers beside them, and real images at hand."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

_NEXT_TO_THE_REPOSITORY = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def cifar10_jpeg() -> Path:
    """CIFAR-10 as JPEG files in train/<class>/ and test/<class>/: a folder or a tar of it.

    Looked for in the folder that ABLATIONS_TEST_DATA names, else beside the repository.
    """
    home = Path(os.environ.get("ABLATIONS_TEST_DATA", _NEXT_TO_THE_REPOSITORY))
    for name in ("cifar10-jpeg", "cifar10-jpeg.tar.gz", "cifar10-jpeg.tar"):
        if (home / name).exists():
            return home / name
    pytest.skip(f"no CIFAR-10 JPEG folders in {home}")
