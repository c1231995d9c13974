"""What a part's result depends on, as one hash.

It covers the packages that its tests touch, its tests and every helper of the tests, conftest files
included, how the environment is made, and what is installed in it. Of the machine it covers the
operating system, the architecture and the vector instructions that torch chose its kernels by:
golden numbers are equal only on one such type. The number of cores is left out: tests set their threads.
"""

import hashlib
import platform
import re
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path

from proof.parts import PACKAGES, Part

SET_UP = ("pyproject.toml", "requirements.lock", ".ci/*", "tests/SKIPS.md")
TABLES = ("parts.py", "pitfalls.py", "living.py")
"""Of tests/proof, read by no test of another part."""


def covered(part: Part, root: Path, environment: Iterable[str]) -> str:
    """The hash of all that can change this part's result."""
    digest = hashlib.sha256()
    for line in (*sorted(part.tests.items()), *sorted(environment)):
        digest.update(f"{line}\0".encode())
    for file in files(part, root):
        content = file.read_bytes() if file.is_file() else b"missing"
        digest.update(f"{file.relative_to(root)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def files(part: Part, root: Path) -> list[Path]:
    """The files that the hash covers, those included that are missing."""
    tests = _with_imported({root / test for test in part.tests}, root)
    tests |= helpers(root)
    found = {file for glob in (*SET_UP, *part.files) for file in root.glob(glob)}
    for package in packages(tests - helpers(root), root):
        found |= {file for file in (root / package).rglob("*") if file.is_file()}
    return sorted(file for file in found | tests if "__pycache__" not in file.parts)


def helpers(root: Path) -> set[Path]:
    """All Python files below tests that are no test modules, but the proof's own tables."""
    proof = root / "tests/proof"
    tables = {proof / name for name in TABLES} | set((proof / "planted").glob("*.py"))
    return {f for f in (root / "tests").rglob("*.py") if not f.name.startswith("test_")} - tables


def packages(tests: Iterable[Path], root: Path) -> list[str]:
    """The packages that these files or the helpers next to them name, and what those import."""
    tests = {test for test in tests if test.is_file()}
    folders = {folder for test in tests for folder in test.parents if root in folder.parents}
    shared = helpers(root) & {file for folder in folders for file in folder.glob("*.py")}
    found = {name for test in tests for name in PACKAGES if _names(test, name)}
    found |= {name for helper in shared for name in _imported(helper)}
    while more := {name for package in found for name in _imported_by(root / package)} - found:
        found |= more
    return sorted(found)


def environment() -> list[str]:
    """Python, what is installed and at which versions, and the type of the machine."""
    import torch

    installed = {f"{one.name} {one.version}" for one in metadata.distributions()}
    return [
        f"python {platform.python_version()} {platform.python_implementation()}",
        f"{platform.system()} {platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        f"torch {torch.__version__} accelerator {torch.cuda.is_available()}",
        *sorted(installed),
    ]


def _with_imported(tests: set[Path], root: Path) -> set[Path]:
    """And the test modules that they import."""
    names = {
        name
        for test in tests
        if test.is_file()
        for name in re.findall(
            r"^(?:from|import) (test_\w+)", test.read_text("utf-8"), re.MULTILINE
        )
    }
    more = {file for name in names for file in (root / "tests").rglob(f"{name}.py")} - tests
    return _with_imported(tests | more, root) if more else tests


def _names(file: Path, package: str) -> bool:
    return re.search(rf"\b{package}\b", file.read_text("utf-8")) is not None


def _imported(file: Path) -> set[str]:
    pattern = rf"^\s*(?:from|import) ({'|'.join(PACKAGES)})\b"
    return set(re.findall(pattern, file.read_text("utf-8"), re.MULTILINE))


@cache
def _imported_by(package: Path) -> set[str]:
    return {name for file in package.rglob("*.py") for name in _imported(file)}
