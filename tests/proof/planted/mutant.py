"""What a planted fault is."""

from collections.abc import Callable
from typing import NamedTuple


class Mutant(NamedTuple):
    """A fault: one passage of a module, which occurs there exactly once, replaced by another."""

    fault: str
    """What is wrong, as a user would report it."""
    file: str
    """Below the root."""
    old: str
    new: str
    tests: tuple[str, ...]
    """Files, of which one test must go red, or single tests (`file::test`), of which each must."""


def planter(package: str) -> Callable[..., Mutant]:
    """Makes mutants of one package, judged by the tests of that package unless named with a folder."""

    def plant(fault: str, file: str, old: str, new: str, *tests: str) -> Mutant:
        named = (one if "/" in one else f"{package}/{one}" for one in tests)
        return Mutant(fault, f"{package}/{file}", old, new, tuple(f"tests/{one}" for one in named))

    return plant
