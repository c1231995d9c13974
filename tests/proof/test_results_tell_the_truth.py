"""`make proof` is green only where every test ran here and passed; each way round that is tried."""

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest
from proof import covering, mutate
from proof.covering import covered
from proof.judging import Row, proven
from proof.keeping import NOT_GREEN, NOT_HERE, OPEN, PROVEN, STALE, Results
from proof.parts import Part
from proof.planted.mutant import Mutant

ROOT = Path(__file__).resolve().parents[2]
PASSES = "def test_it():\n    assert True\n"
BREAKS = "def test_it():\n    assert 1 == 2\n"
SKIPS = 'import pytest\npytest.skip("no such device", allow_module_level=True)\n'
SKIP_ROW = "| `tests/toy/test_toy.py` | no such device | elsewhere |\n"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository in small: one package, one test module, a helper, a conftest, the set-up."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # seconds for each start of pytest
    for file, text in {
        "pyproject.toml": '[tool.pytest]\nminversion = "9.0"\nmarkers = ["proof: x", "slow: x"]\n'
        'addopts = ["--import-mode=importlib", "-p", "xdist.plugin"]\n',
        "requirements.lock": "torch==1\n",
        ".ci/set-up": "",
        "simclr_core/__init__.py": "",
        "simclr_core/toy.py": "def double(x):\n    return 2 * x\n",
        "sweeps/__init__.py": "",
        "reports/__init__.py": "",
        "ablations/__init__.py": "",
        "tests/SKIPS.md": "",
        "tests/conftest.py": "",
        "tests/toy/conftest.py": "",
        "tests/toy/toy_trials.py": "X = 1\n",
        "tests/toy/test_toy.py": "from simclr_core.toy import double\n\n\n"
        "def test_it():\n    assert double(2) == 4\n\n\n"
        "def test_zero():\n    assert double(0) == 0\n",
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text, "utf-8")
    return tmp_path


def results(tree: Path, text: str | None = None, *, seconds: float = 60) -> list[Row]:
    """What the proof says of the toy module, with this text in place of its own."""
    if text is not None:
        (tree / "tests/toy/test_toy.py").write_text(text, "utf-8")
    tests = {"tests/toy/test_toy.py": "by hand"}
    return proven(tests, root=tree, seconds=seconds, processes=0)[0]


def test_what_ran_and_passed_is_green(tree: Path) -> None:
    assert results(tree) == [Row("it", "by hand", 1, "green"), Row("zero", "by hand", 1, "green")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BREAKS, "red: call: .*1 == 2"),
        ("import not_there\n", "red: collection: .*not_there"),
        ("", "red: it left no result"),  # pytest ends with 5
        ("def helper(): pass\n", "red: it ended with 5"),
        (SKIPS, "red: skipped without a row in tests/SKIPS.md: no such device"),
        (
            'import pytest\n@pytest.mark.skip("later")\ndef test_it(): assert False\n' + PASSES,
            "green",
        ),
        (
            'import pytest\n@pytest.mark.skip("later")\ndef test_other(): assert False\n' + PASSES,
            "red: skipped without a row in tests/SKIPS.md: later",
        ),
        (
            (
                'import pytest\n@pytest.fixture\ndef x():\n    yield 1\n    raise OSError("full")\n'
                "def test_it(x): pass\n"
            ),
            "red: teardown: .*full",
        ),
        ("import os\ndef test_it(): os._exit(0)\n", "red: it left no result"),
        (
            "import pytest\n@pytest.mark.parametrize('x', [1, 2])\ndef test_it(x): assert x == 1\n",
            "red: call",
        ),
    ],
)
def test_what_did_not_run_and_pass_is_red(tree: Path, text: str, told: str) -> None:
    found = [row.result for row in results(tree, text)]

    assert any(re.match(told, result) for result in found), found


def test_a_skip_with_a_row_is_told_as_such_and_is_not_green(tree: Path) -> None:
    (tree / "tests/SKIPS.md").write_text(SKIP_ROW, "utf-8")

    assert next(row.result for row in results(tree, SKIPS)) == "skipped: no such device"
    assert {row.state for row in results(tree, SKIPS + PASSES)} & {"green"} == set()


def test_a_module_that_is_missing_is_red(tree: Path) -> None:
    (tree / "tests/toy/test_toy.py").unlink()

    assert {row.state for row in results(tree)} == {"red"}


@pytest.mark.proof
def test_tests_that_do_not_end_are_stopped_and_red(tree: Path) -> None:
    endless = "import time\ndef test_it():\n    time.sleep(600)\n"

    [missing, late] = results(tree, endless, seconds=4)

    assert (missing.state, late.result) == ("red", "red: they were stopped after 4 s")


PART = Part({"tests/toy/test_toy.py": "by hand"})


@pytest.mark.parametrize(
    "file",
    [
        "simclr_core/toy.py",
        "tests/toy/test_toy.py",
        "tests/toy/toy_trials.py",
        "tests/toy/conftest.py",
        "tests/conftest.py",
        "tests/SKIPS.md",
        "pyproject.toml",
        "requirements.lock",
        ".ci/set-up",
    ],
)
def test_the_hash_covers(tree: Path, file: str) -> None:
    before = covered(PART, tree, ["python 3.11"])

    (tree / file).write_text((tree / file).read_text("utf-8") + "\n", "utf-8")

    assert covered(PART, tree, ["python 3.11"]) != before


def test_the_hash_covers_new_files_of_a_package_and_test_modules_that_a_test_imports(
    tree: Path,
) -> None:
    marks = [covered(PART, tree, [])]
    for file, text in (
        ("simclr_core/shown.html", "<p>"),
        ("tests/toy/test_other.py", "X = 1\n"),
        ("tests/toy/test_toy.py", "from test_other import X\n"),
        ("tests/toy/test_other.py", "X = 2\n"),
        ("tests/toy/test_toy.py", "from test_other import X\nimport sweeps\n"),
        ("sweeps/__init__.py", "from reports import x\n"),
        ("reports/__init__.py", "x = 1\n"),
    ):
        (tree / file).write_text(text, "utf-8")
        covering._imported_by.cache_clear()
        marks.append(covered(PART, tree, []))

    changed = [after != before for before, after in itertools.pairwise(marks)]
    assert changed == [True, False, True, True, True, True, True]


def test_the_hash_leaves_out_what_changes_no_result(tree: Path) -> None:
    before = covered(PART, tree, [])

    for file in ("ablations/__init__.py", "README.md", "tests/toy/test_other.py"):
        (tree / file).write_text("x = 1\n", "utf-8")

    assert covered(PART, tree, []) == before


def test_the_hash_covers_python_torch_what_is_installed_and_the_processors_kind(tree: Path) -> None:
    import torch

    told = covering.environment()

    assert any(
        line.startswith(f"python {sys.version_info[0]}.{sys.version_info[1]}") for line in told
    )
    assert any(torch.backends.cpu.get_cpu_capability() in line for line in told)
    assert any(line.startswith(f"torch {torch.__version__}") for line in told)
    assert any(line.startswith("scikit-learn ") for line in told)
    assert covered(PART, tree, told) != covered(PART, tree, told[1:])


def kept(tree: Path, rows: list[Row]) -> Results:
    made = Results(tree / ".proof/results.json")
    made.keep("toy", {"covers": "a", "rows": rows})
    return made


def test_a_result_is_of_one_hash_and_proven_only_where_all_is_green(tree: Path) -> None:
    green, skipped, red = (Row("it", "", 1, told) for told in ("green", "skipped: x", "red: y"))

    assert Results(tree / "none.json").state("toy", "a") == NOT_HERE
    assert kept(tree, [green]).state("toy", "a") == PROVEN
    assert kept(tree, [green]).state("toy", "b") == STALE
    assert kept(tree, [green, skipped]).state("toy", "a") == OPEN
    assert kept(tree, [green, red]).state("toy", "a") == NOT_GREEN
    assert kept(tree, []).state("toy", "a") == NOT_GREEN


@pytest.mark.parametrize("text", ["", "{", "[]", '{"toy": 3}', '{"toy": {"covers": "a"}}'])
def test_kept_results_that_cannot_be_read_are_none(tree: Path, text: str) -> None:
    (tree / "results.json").write_text(text, "utf-8")

    assert Results(tree / "results.json").state("toy", "a") == NOT_HERE


@pytest.mark.slow
@pytest.mark.proof
def test_a_fresh_clone_has_proven_nothing_and_says_so(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--no-hardlinks", ROOT, clone], check=True)
    shown = subprocess.run(
        [sys.executable, "tests/proof"],
        cwd=clone,
        env={"PART": "show", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(clone)},
        capture_output=True,
        text=True,
        check=False,
    )

    rows = [line for line in shown.stdout.splitlines() if line.startswith("│")]
    assert len(rows) >= 15
    assert all("not proven here" in row for row in rows)
    assert shown.stdout.splitlines()[-1].startswith("0 of ")
    assert shown.returncode == 1


def faults(tree: Path, new: str, *tests: str, old: str = "2 * x") -> mutate.Outcome:
    mutant = Mutant("a fault", "simclr_core/toy.py", old, new, tests or ("tests/toy/test_toy.py",))
    [outcome] = mutate.outcomes([mutant], tree)
    return outcome


def test_a_planted_fault_is_told_with_the_tests_that_noticed(tree: Path) -> None:
    both, one = faults(tree, "x + 3"), faults(tree, "3 * x")

    assert (both.wrong, one.wrong) == ("", "")
    assert set(both.caught_by) == {f"tests/toy/test_toy.py::test_{n}" for n in ("it", "zero")}
    assert one.caught_by == ("tests/toy/test_toy.py::test_it",)
    assert (tree / "simclr_core/toy.py").read_text("utf-8").endswith("2 * x\n")


def test_a_planted_fault_that_no_test_notices_is_red(tree: Path) -> None:
    assert faults(tree, "x * 2").wrong == "no test went red"
    named = "tests/toy/test_toy.py::test_zero"
    assert faults(tree, "3 * x", named).wrong == f"not noticed by {named}"


def test_a_planted_fault_whose_passage_no_longer_occurs_is_red(tree: Path) -> None:
    assert "occurs 0 times" in faults(tree, "x", old="4 * x").wrong


def test_a_module_that_cannot_be_imported_is_no_fault_that_was_noticed(tree: Path) -> None:
    assert "pytest ended with" in faults(tree, "2 *").wrong


def test_tests_that_are_red_without_a_fault_prove_nothing(tree: Path) -> None:
    (tree / "tests/toy/test_toy.py").write_text(BREAKS, "utf-8")
    mutant = Mutant("a fault", "simclr_core/toy.py", "2 * x", "3", ("tests/toy/test_toy.py",))

    assert "test_toy.py::test_it" in mutate.clean([mutant], tree)


def test_faults_of_one_second_and_size_do_not_share_their_bytecode(tree: Path) -> None:
    changes = ("3 * x", "x * 2", "4 * x", "x + x", "5 * x", "x*2.0")
    mutants = [
        Mutant(new, "simclr_core/toy.py", "2 * x", new, ("tests/toy/test_toy.py",))
        for new in changes
    ]

    outcomes = {one.mutant.fault: one.wrong for one in mutate.outcomes(mutants, tree)}

    assert [outcomes[new] for new in changes] == ["", "no test went red"] * 3
