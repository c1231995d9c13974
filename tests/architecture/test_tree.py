"""What the tree promises a reader: few folders, short modules, names that explain themselves."""

import importlib
import inspect
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
PACKAGES = ("simclr_core", "sweeps", "reports", "ablations")
TRACKED = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    if (ROOT / name).is_file()
]
TEXTS = [path for path in TRACKED if path.suffix not in {".png", ".gz", ".pdf", ".jpg"}]


def test_only_the_known_folders_stand_at_the_top() -> None:
    folders = {path.relative_to(ROOT).parts[0] for path in TRACKED if path.parent != ROOT}

    assert folders <= {*PACKAGES, "tests", ".ci"}


def test_only_pages_and_set_up_stand_beside_the_folders() -> None:
    files = {path.name for path in TRACKED if path.parent == ROOT and not path.name.startswith(".")}

    pages = {name for name in files if name.endswith(".md")}
    set_up = {"Containerfile", "Makefile", "pyproject.toml", "requirements.lock"}
    assert files - pages == {"CITATION.cff", "LICENSE", *set_up}


def test_the_container_installs_as_make_does_and_starts_ablate() -> None:
    lines = (ROOT / "Containerfile").read_text().splitlines()

    [rule] = (line.removeprefix("RUN make ") for line in lines if line.startswith("RUN make "))
    assert f"READY := {rule}" in (ROOT / "Makefile").read_text()
    assert 'ENTRYPOINT ["/ablate/.venv/bin/ablate"]' in lines


def test_the_citation_names_the_version_and_licence_of_the_project() -> None:
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cited = YAML(typ="safe").load(ROOT / "CITATION.cff")

    assert (cited["version"], cited["license"]) == (about["version"], about["license"])
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_holds_more_than_400_lines(package: str) -> None:
    long = {
        path.name: count
        for path in (ROOT / package).rglob("*.py")
        if (count := len(path.read_text().splitlines())) > 400
    }

    assert long == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_explains_itself(package: str) -> None:
    rooms = sorted(path.parent.name for path in (ROOT / package).glob("*/__init__.py"))
    modules = [importlib.import_module(f"{package}.{room}".rstrip(".")) for room in ["", *rooms]]

    silent = [
        f"{module.__name__}.{name}"
        for module in modules
        for name in getattr(module, "__all__", ())
        if (inspect.isclass(value := getattr(module, name)) or inspect.isfunction(value))
        and not inspect.getdoc(value)
    ]
    assert silent == []


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    hosts = re.compile(
        r"(py" r"pi|python" r"hosted|npm" r"js|deb" r"ian)\.(org|com)", re.IGNORECASE
    )
    paths = re.compile(r"(^|[^a-zA-Z0-9_.])/(work|farm|root)/")

    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in TEXTS
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if hosts.search(line) or paths.search(line)
    ]

    assert found == []


def test_the_lock_holds_a_hash_for_every_package_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text()

    assert "://" not in lock
    blocks = re.split(r"\n(?=[A-Za-z0-9])", lock)
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_every_invariant_names_a_test_that_exists() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text()
    rows = re.findall(r"`(tests/[\w/.-]+\.py)::(\w+)`", page)

    assert len(rows) >= 10
    missing = [
        f"{path}::{name}"
        for path, name in rows
        if not (ROOT / path).is_file() or f"def {name}(" not in (ROOT / path).read_text()
    ]
    assert missing == []


def test_every_row_of_skips_names_a_test_that_exists() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", (ROOT / "tests/SKIPS.md").read_text(), re.MULTILINE)

    missing = [row for row in rows if not (ROOT / row.split("::")[0]).exists()]
    assert missing == []


def test_each_decision_has_a_number_of_its_own_newest_first() -> None:
    headings = [
        line for line in (ROOT / "DECISIONS.md").read_text().splitlines() if line.startswith("## ")
    ]
    numbers = [int(line.split()[1].removesuffix(".")) for line in headings]

    assert numbers == list(range(len(numbers), 0, -1))
