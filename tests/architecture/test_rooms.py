"""Sub-packages are rooms: each shows its public names in its `__init__`, and the others use these."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("simclr_core", "sweeps", "reports", "ablations")


class Import(NamedTuple):
    """One `from module import name` of a file."""

    where: str
    module: str
    name: str


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def imports(path: Path) -> Iterator[Import]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (Import(dotted(path), node.module or "", one.name) for one in node.names)
        elif isinstance(node, ast.Import):
            yield from (Import(dotted(path), one.name, "") for one in node.names)


def reaches_past_a_surface(one: Import) -> bool:
    """Whether it names a module inside a sub-package other than the importer's own."""
    parts = one.module.split(".")
    if parts[0] not in PACKAGES or room(one.module) == room(one.where):
        return False
    inside = len(parts) > 2
    submodule = len(parts) == 2 and (ROOT.joinpath(*parts) / f"{one.name}.py").exists()
    return inside or submodule


@pytest.mark.parametrize("package", PACKAGES)
def test_a_room_is_used_through_its_public_names_only(package: str) -> None:
    past = [
        one for path in modules(package) for one in imports(path) if reaches_past_a_surface(one)
    ]

    assert past == []


@pytest.mark.parametrize("module", ["sweeps.storage.store", "simclr_core.losses.contrastive"])
def test_an_import_past_a_surface_is_found(module: str) -> None:
    package, sub, name = module.split(".")

    assert reaches_past_a_surface(Import("ablations.commands.run", module, "Anything"))
    assert reaches_past_a_surface(Import("ablations.commands.run", f"{package}.{sub}", name))
    assert not reaches_past_a_surface(Import(f"{package}.{sub}.other", module, "Anything"))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_room_says_what_it_is_and_lists_its_public_names(package: str) -> None:
    silent = []
    for path in (ROOT / package).glob("*/__init__.py"):
        tree = ast.parse(path.read_text("utf-8"))
        listed = any(
            isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
            for node in tree.body
        )
        if ast.get_docstring(tree) is None or not listed:
            silent.append(dotted(path))

    assert silent == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_has_the_name_of_a_function_or_class_it_exports(package: str) -> None:
    same = [
        dotted(path)
        for path in modules(package)
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == path.stem
    ]

    assert same == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_public_name_of_a_room_is_that_of_one_of_its_modules(package: str) -> None:
    same = [
        f"{one.where}: {one.name}"
        for path in (ROOT / package).glob("*/__init__.py")
        for one in imports(path)
        if (path.parent / f"{one.name}.py").exists()
    ]

    assert same == []


@pytest.mark.parametrize("package", ["ablations", "reports", "simclr_core", "sweeps"])
def test_no_function_is_longer_than_60_lines(package: str) -> None:
    long = {
        f"{dotted(path)}.{node.name}": count
        for path in modules(package)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (count := (node.end_lineno or 0) - node.lineno + 1) > 60
    }

    assert long == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_tests_of_a_package_are_in_folders_named_like_its_rooms(package: str) -> None:
    rooms = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    folders = {path.parent.name for path in (ROOT / "tests" / package).glob("*/test_*.py")}

    assert folders <= rooms


def test_the_page_lists_every_room_and_only_modules_that_exist() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+/\w+)` \|.*\| (`.*`) \|$", page, re.MULTILINE))
    rooms = {
        str(path.parent.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).glob("*/__init__.py")
    }
    missing = [
        f"{place}/{name}.py"
        for place, named in rows.items()
        for name in re.findall(r"`(\w+)`", named)
        if not (ROOT / place / f"{name}.py").exists()
    ]

    assert rows.keys() == rooms
    assert missing == []
