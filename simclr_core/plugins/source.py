"""The text of a part's file: read, examined without being executed, hashed."""

import ast
import hashlib
import symtable
import warnings
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from types import CodeType

from simclr_core.base import nearest_name
from simclr_core.file_kinds import not_a_file

# Warnings of compiling are ignored here: they appear where the file is executed.

_MARK = "\ufeff"

LARGEST = 1_000_000
"""In bytes; no component file is that large."""


class Unusable(ValueError):  # noqa: N818 -- a state of the file
    """The file cannot be a part; the text goes on from the field's name: "must ..."."""


def digest(text: str) -> str:
    """SHA-256 of the bytes that the text was read from, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def read(path: str) -> str:
    """The text of a file, byte for byte what UTF-8 makes of it again.

    Raises:
        Unusable: the file does not exist, or is not text.
    """
    place, kind = Path(path), None
    if place.is_dir():
        raise Unusable(f"must name a Python file, got the folder {path}")
    with suppress(OSError, ValueError):
        kind = not_a_file(place)
    if kind is not None:
        raise Unusable(f"must name a Python file, but {path} is {kind}")
    try:
        with place.open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError as error:
        raise Unusable(f"must name a Python file, but there is no {path}{_near(place)}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Unusable(
            f"must name a readable file, but {path} is not readable: {reason.lower()}"
        ) from error
    if len(data) > LARGEST:
        raise Unusable(f"must name a file of at most {LARGEST} bytes, but {path} is larger")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise Unusable(
            f"must name a text file in UTF-8, but {path}:{line} has the byte 0x{data[error.start]:02x}"
        ) from error


def examined(path: str, text: str) -> None:
    """Checks that the text can be a component's file.

    Raises:
        Unusable: it is not valid Python, or imports a neighbour.
    """
    problem = _problem(path, text)
    if problem is not None:
        raise Unusable(problem)
    for module, line in _imported(text):
        neighbour = Path(path).parent / module
        if neighbour.with_suffix(".py").is_file() or (neighbour / "__init__.py").is_file():
            raise Unusable(
                f"must be self-contained, but {path}:{line} imports {module} from its folder, which no "
                f"key would cover; put everything it needs into the one file"
            )


@lru_cache(maxsize=256)
def names_at_the_top(path: str, text: str) -> tuple[str, ...]:
    """The names at the top level of the file: functions, classes, values, imports."""
    with warnings.catch_warnings(action="ignore"):
        table = symtable.symtable(text.removeprefix(_MARK), path, "exec")
    bound = [s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()]
    return tuple(name for name in bound if not name.startswith("__"))


def code_of(path: str, text: str) -> CodeType:
    """The text compiled, not executed; of the bytes, as Python reads a file."""
    return compile(text.encode(), path, "exec", dont_inherit=True)


@lru_cache(maxsize=256)
def _problem(path: str, text: str) -> str | None:
    """Why the text is not valid Python."""
    try:
        with warnings.catch_warnings(action="ignore"):
            code_of(path, text)
    except SyntaxError as error:
        return f"must name a Python file, but {path}:{error.lineno or 1} is not valid Python: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        return (
            f"must name a Python file, but {path} is not valid Python: "
            f"{str(error) or type(error).__name__}"
        )
    return None


@lru_cache(maxsize=256)
def _imported(text: str) -> tuple[tuple[str, int], ...]:
    """Each module that is imported anywhere in the text, by its first name, and the line."""
    with warnings.catch_warnings(action="ignore"):
        tree = ast.parse(text.encode())
    found: list[tuple[str, int]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(name.name.partition(".")[0], node.lineno) for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found.append((node.module.partition(".")[0], node.lineno))
        elif isinstance(node, ast.ImportFrom):  # from . import a
            found += [(name.name, node.lineno) for name in node.names]
    return tuple(found)


def _near(place: Path) -> str:
    known = [str(near) for near in place.parent.glob("*.py")] if place.parent.is_dir() else []
    return nearest_name(str(place), known)
