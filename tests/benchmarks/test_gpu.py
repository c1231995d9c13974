"""The GPU benchmark in miniature on the CPU: every section, the table, the JSON file, and what can fail."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from benchmarks.gpu.command import SHARES, parsed, share, supervised
from benchmarks.gpu.quickstart import FILE, Trial, packed, unpacked
from benchmarks.gpu.rows import Ended, Row, document, shown, table

from ablations.compose.planning import compose, planned
from ablations.study.request import Request

COMMAND = Path(__file__).with_name("gpu")

BARE = """
import sys
from importlib.machinery import PathFinder

MISSING = {
    "ablations", "reports", "sweeps", "jaxtyping", "lightly", "matplotlib", "mlflow", "pandas", "psutil",
    "ray", "rich", "ruamel", "scipy", "seaborn", "typer", "typst",
}

class Bare(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        there = name.partition(".")[0] not in MISSING
        return PathFinder.find_spec(name, path, target) if there else None

sys.meta_path[sys.meta_path.index(PathFinder)] = Bare
"""
"""What Python finds on a machine with torch, torchvision, numpy and pydantic alone."""


class Done(NamedTuple):
    printed: str
    found: dict[str, Any]

    def rows(self, section: str) -> list[dict[str, Any]]:
        return [row for row in self.found["rows"] if row["section"] == section]

    def value(self, section: str, what: str) -> Any:
        [row] = [row for row in self.rows(section) if row["what"] == what]
        return row["value"]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("bare")
    (folder / "sitecustomize.py").write_text(BARE)
    file = folder / "found.json"
    # No section is ended for want of time: how busy the machine is decides nothing here.
    words = ["--miniature", "--device", "cpu", "--budget", "3000", "--json", str(file)]
    ran = subprocess.run(
        [sys.executable, str(COMMAND), *words],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return Done(ran.stdout, json.loads(file.read_text("utf-8")))


pytestmark = pytest.mark.slow


def test_every_section_ends_well_without_the_packages_of_studies(done: Done) -> None:
    assert list(done.found["sections"]) == list(SHARES)
    assert {how["state"] for how in done.found["sections"].values()} == {"done"}
    assert done.value("machine", "packages that are not installed") == "jaxtyping, psutil"
    [peer] = done.rows("peer")
    assert (peer["value"], peer["note"]) == (None, "lightly is not installed")


def test_the_cpu_agrees_with_itself_in_every_row(done: Done) -> None:
    rows = done.rows("agreement")
    values = {row["what"]: row["value"] for row in rows}

    assert {value for value in values.values() if isinstance(value, str)} == {"equal"}
    assert {value for value in values.values() if not isinstance(value, str)} == {0}
    for begin, num in (
        ("crops with another box", 2),
        ("views, largest difference", 3),
        ("captured = kernel by kernel", 3),
        ("member ", 4),
        ("resumed = uninterrupted", 3),
    ):
        assert sum(what.startswith(begin) for what in values) == num, begin
    assert all(row["n"] for row in rows)


@pytest.mark.parametrize("section", ["packs", "networks", "evaluation", "quickstart"])
def test_speeds_are_positive_and_say_how_many_they_are_the_median_of(
    done: Done, section: str
) -> None:
    timed = [row for row in done.rows(section) if row["unit"] in {"views/s", "s"}]

    assert timed
    assert all(row["value"] > 0 and row["n"] >= 1 for row in timed)


def test_packs_are_timed_in_doublings_and_the_number_that_pays_is_one_of_them(done: Done) -> None:
    whats = [row["what"] for row in done.rows("packs")]

    assert whats[:3] == [f"tiny network, B 8, {num} at once" for num in (1, 2, 4)]
    assert done.value("packs", "tiny network, B 8, members that pay") in (1, 2, 4)


def test_a_quickstart_has_the_same_values_in_a_pack_and_alone(done: Done) -> None:
    for cell in ("crop+colour", "random encoder"):
        values = [
            done.value("quickstart", f"5 trials, {n} at once: top-1 of {cell}") for n in (8, 1)
        ]
        assert values[0] == values[1]


def test_the_json_file_has_its_schema_and_the_table_every_row(done: Done) -> None:
    found = done.found
    assert found.keys() == {"format", "date", "options", "seconds", "sections", "rows"}
    assert found["format"] == 1
    for how in found["sections"].values():
        assert how.keys() == set(Ended._fields)
    for row in found["rows"]:
        assert row.keys() == set(Row._fields)
        assert row["section"] in found["sections"]
        assert isinstance(row["value"], int | float | str | None)
        assert row["what"] in done.printed
    assert str(Path(found["options"][-1])) in done.printed


def test_the_trials_are_those_of_todays_quickstart(tmp_path: Path) -> None:
    composed, store = compose(Request(study="quickstart", scale="laptop", store=tmp_path / "runs"))
    # auto: the plan was made on a CPU, the benchmark resolves it on its own device.
    today = [
        Trial(trial.cell, {**trial.config, "precision": "auto"})
        for trial in planned(composed, store.known()).trials
    ]

    kept = unpacked(json.loads(FILE.read_text("utf-8")))

    if kept != today:
        written = tmp_path / FILE.name
        written.write_text(json.dumps(packed(today), indent=1) + "\n", "utf-8")
        pytest.fail(f"the plan has changed: copy {written} to {FILE}")


# --------------------------------------------------------------------------- sections that go wrong

CHILD = """
import json, sys, time
def emit(**said): print(json.dumps(said), flush=True)
for name in sys.argv[1].split(","):
    emit(begin=name)
    emit(row=[name, "one", 1.0, "s", 1, ""])
    if name == "machine": sys.exit(7)
    if name == "packs": time.sleep(60)
    emit(end=name, error="no" if name == "agreement" else None)
"""


def fake(text: str, started: list[list[str]]) -> Callable[[Sequence[str], float], list[str]]:
    def command(names: Sequence[str], until: float) -> list[str]:
        del until
        started.append(list(names))
        return [sys.executable, "-I", "-S", "-c", text, ",".join(names)]

    return command


def test_a_section_that_dies_hangs_or_fails_costs_no_other_one() -> None:
    names, started = ["machine", "agreement", "packs", "peer"], list[list[str]]()

    rows, ended = supervised(names, fake(CHILD, started), time.time() + 5, over=0.5)

    states = {name: how.state for name, how in ended.items()}
    assert states == {
        "machine": "failed",
        "agreement": "failed",
        "packs": "timed out",
        "peer": "done",
    }
    assert ended["machine"].error == "its process ended with 7"
    assert ended["agreement"].error == "no"
    assert [row.section for row in rows] == names, "what a section had found stays"
    assert started == [names, names[1:], names[3:]]


def test_sections_without_time_are_skipped_and_say_so() -> None:
    rows, ended = supervised(["machine", "peer"], fake(CHILD, []), time.time() - 1)

    assert rows == []
    assert {how.state for how in ended.values()} == {"skipped"}


def test_a_child_that_never_starts_fails_each_section_once() -> None:
    _, ended = supervised(["machine", "peer"], fake("", []), time.time() + 30)

    assert [how.state for how in ended.values()] == ["failed", "failed"]


def test_what_a_section_leaves_of_its_time_goes_to_the_others() -> None:
    names = ["packs", "networks", "peer"]

    assert share("packs", names, 110) == pytest.approx(60)
    assert share("peer", names, 50) == 50
    assert share("networks", names, -1) == 0


def test_an_unknown_section_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(["--only", "packs,speed"])

    assert "there is no section speed" in capsys.readouterr().err


def test_numbers_are_shown_with_the_digits_that_matter() -> None:
    values = [None, "equal", 0.0, 1234.5, 0.00001234, float("nan"), 8]

    assert [shown(value) for value in values] == [
        *("-", "equal", "0", "1,234", "1.23e-05", "nan", "8"),
    ]


def test_what_json_lacks_is_written_as_text() -> None:
    found = document([Row("packs", "w", float("nan"))], {"packs": Ended("done", 1.0)}, {})

    assert json.loads(json.dumps(found, allow_nan=False))["rows"][0]["value"] == "nan"


def test_a_section_that_failed_shows_its_error_above_its_rows() -> None:
    rows = [Row("packs", "2 at once", None, "views/s", None, "out of memory")]
    text = table(rows, {"packs": Ended("failed", 3.0, "ValueError: no")})

    first, second, third = text.splitlines()
    assert (first, second) == ("packs: failed, 3.0 s", "  ValueError: no")
    assert third.split() == ["2", "at", "once", "-", "views/s", "out", "of", "memory"]
