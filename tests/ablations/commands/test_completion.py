"""What TAB completes: the words, how fast they come, and a real bash in which it is switched on."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import record_of, recorded, the_plan, written_study

from ablations.commands import app
from ablations.study import SCALES, shipped
from sweeps.planning.trial_plan import Plan
from sweeps.storage.launch_log import save_plan
from sweeps.storage.store import Store

BIN = Path(sys.executable).parent
HOSTILE = "$(touch harm)`touch harm`'\";|&<>[/bold]"
HEAVY = {"torch", "ray", "mlflow", "pandas", "scipy", "matplotlib", "numpy"}

Completes = Callable[[str], list[str]]


@pytest.fixture
def completes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Completes:
    """The lines that fish is offered where a line of the shell ends."""

    def offered(line: str) -> list[str]:
        monkeypatch.setenv("_ABLATE_COMPLETE", "complete_fish")
        monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
        capsys.readouterr()
        with pytest.raises(SystemExit):
            app(args=[], prog_name="ablate", standalone_mode=False)
        out, err = capsys.readouterr()
        assert err == ""
        return [line for line in out.splitlines() if line]

    return offered


@pytest.fixture
def planned(here: Path) -> Plan:
    """A study of which one trial is on record in ./runs."""
    plan = the_plan(written_study(here))
    first = plan.trials[0]
    store = Store(here / "runs")
    store.prepare()
    store.commit(record_of(first, plan), store.running / f"{first.key}.log")
    save_plan(store, plan)
    return plan


@pytest.mark.parametrize("command", ["run", "plan", "report", "show", "trial"])
def test_shipped_studies_and_study_files_are_completed(
    command: str, here: Path, completes: Completes
) -> None:
    for name in ("mine.yaml", "other.yml", "notes.txt"):
        (here / name).touch()

    assert completes(f"ablate {command} ") == [*shipped(), "mine.yaml", "other.yml"]
    assert completes(f"ablate {command} qui") == ["quickstart"]


def test_commands_and_options_are_completed(completes: Completes) -> None:
    assert [line.partition("\t")[0] for line in completes("ablate st")] == ["status", "store"]
    assert [line.partition("\t")[0] for line in completes("ablate store ch")] == ["check"]
    assert [line.partition("\t")[0] for line in completes("ablate run x --se")] == [
        "--set",
        "--seeds",
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ablate run quickstart --scale ", list(SCALES)),
        ("ablate status --scale la", ["laptop"]),
        ("ablate run quickstart --device c", ["cpu", "cuda"]),
        ("ablate run quickstart --keep ", ["none", "last"]),
        ("ablate new mine --template own", ["own-augmentation", "own-images"]),
        ("ablate explain verd", ["verdict"]),
    ],
)
def test_the_few_values_of_an_option_are_completed(
    line: str, words: list[str], completes: Completes
) -> None:
    assert completes(line) == words


@pytest.mark.parametrize("command", ["diff", "diff 00", "export", "ui"])
def test_keys_on_record_are_completed_with_cell_and_seed(
    command: str, planned: Plan, completes: Completes
) -> None:
    first = planned.trials[0]

    assert completes(f"ablate {command} ") == [f"{first.key}\t{first.cell} seed {first.seed}"]
    assert completes(f"ablate {command} zz") == []


def test_planned_keys_are_completed_where_a_trial_is_to_run(
    planned: Plan, completes: Completes
) -> None:
    offered = {line.partition("\t")[0] for line in completes("ablate trial mine.yaml ")}

    assert offered == {trial.key for trial in planned.trials}


@pytest.mark.parametrize("command", ["status", "compare", "compare a", "store export"])
@pytest.mark.usefixtures("planned")
def test_studies_on_record_are_completed(command: str, completes: Completes) -> None:
    assert completes(f"ablate {command} mi") == ["mine@laptop"]


def test_the_store_is_the_lines_own_else_that_of_ablate_toml(
    here: Path, planned: Plan, completes: Completes
) -> None:
    (here / "runs").rename(here / "elsewhere")

    assert completes("ablate status ") == []
    assert completes("ablate status --store elsewhere ") == [planned.label]
    (here / "ablate.toml").write_text('store = "elsewhere"')
    assert completes("ablate status ") == [planned.label]
    (here / "ablate.toml").write_text("store = ")
    assert completes("ablate status ") == []


@pytest.mark.usefixtures("planned")
def test_no_word_is_offered_that_a_shell_would_evaluate(here: Path, completes: Completes) -> None:
    plan = the_plan(written_study(here))
    hostile = plan.trials[0].model_copy(update={"cell": HOSTILE})
    named = plan.model_copy(update={"variation": HOSTILE, "trials": (hostile,)})
    save_plan(Store(here / "runs"), named)
    (here / "$(touch harm).yaml").touch()
    (here / "two words.yaml").touch()

    assert completes("ablate run $") == []
    assert "two words.yaml" not in completes("ablate run ")
    assert completes("ablate status ") == ["mine@laptop"]
    for line in completes("ablate diff "):
        assert not set(line) & set("$`'\";|&<>[](){}\\")


def test_completing_imports_nothing_heavy_and_writes_nothing(here: Path) -> None:
    plan = the_plan(written_study(here))
    save_plan(recorded(here / "runs", plan), plan)
    (here / "runs/index.jsonl").unlink(missing_ok=True)
    script = "import sys\nfrom ablations.commands import app\n"
    script += "try:\n    app(args=[], prog_name='ablate', standalone_mode=False)\n"
    script += "finally:\n    print(*{n.partition('.')[0] for n in sys.modules}, file=sys.stderr)"
    words = {"COMP_WORDS": "ablate diff ", "COMP_CWORD": "2", "_ABLATE_COMPLETE": "complete_bash"}

    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **words},
        capture_output=True,
        text=True,
        check=True,
    )

    assert set(done.stdout.split()) == {trial.key for trial in plan.trials}
    assert set(done.stderr.split()) & HEAVY == set()
    assert not (here / "runs/index.jsonl").exists()


class Terminal:
    """An interactive bash with a home of its own, as a user at a terminal has it."""

    def __init__(self, home: Path) -> None:
        told = {
            "HOME": str(home),
            "TERM": "dumb",
            "PS1": "> ",
            "PATH": f"{BIN}:{os.environ['PATH']}",
        }
        self.pid, self.screen = pty.fork()
        if self.pid == 0:
            os.execvpe("bash", ["bash", "-i"], {**os.environ, **told})

    def shows(self, text: str) -> bool:
        """Whether a text comes on the screen within half a minute."""
        seen, end = "", time.monotonic() + 30
        while text not in seen and time.monotonic() < end:
            if select.select([self.screen], [], [], 0.1)[0]:
                seen += os.read(self.screen, 4096).decode()
        return text in seen

    def types(self, keys: str) -> None:
        os.write(self.screen, keys.encode())

    def closes(self) -> None:
        self.types("\x15exit\n")
        os.close(self.screen)
        os.waitpid(self.pid, 0)


@pytest.mark.proof
def test_in_a_real_bash_one_line_switches_it_on(
    here: Path, planned: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.setenv("PATH", f"{BIN}:{os.environ['PATH']}")
    switched_on = subprocess.run(
        ["bash", "-c", "ablate --install-completion; true"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "bash completion installed in" in switched_on.stdout

    bash = Terminal(here)
    try:
        bash.types("ablate pl\tqui\t--sc\tsm\t")
        assert bash.shows("ablate plan quickstart --scale smoke ")
        bash.types(f"\x15ablate diff {planned.trials[0].key[:4]}\t")
        assert bash.shows(planned.trials[0].key)
    finally:
        bash.closes()


@pytest.mark.parametrize(
    "first",
    ["", "shopt -u hostcomplete", "COMP_WORDBREAKS=${COMP_WORDBREAKS//@}",
     "COMP_WORDBREAKS=${COMP_WORDBREAKS//:}"],
)  # fmt: skip
@pytest.mark.proof
@pytest.mark.usefixtures("planned")
def test_bash_completes_words_with_signs_at_which_it_may_end_words(
    here: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    monkeypatch.setenv("PATH", f"{BIN}:{os.environ['PATH']}")

    bash = Terminal(here)
    try:
        bash.types(f'eval "$(ablate --show-completion bash)"; {first}\n')
        for typed, completed in (
            ("ablate status mi", "ablate status mine@laptop"),
            ("ablate status mine@la", "ablate status mine@laptop"),
            ("ablate status mine@", "ablate status mine@laptop"),
            ("ablate compare x mine@la", "ablate compare x mine@laptop"),
            ("ablate run mine.yaml --scale=sm", "ablate run mine.yaml --scale=smoke"),
        ):
            bash.types(f"\x15{typed}\t")
            assert bash.shows(completed), typed
    finally:
        bash.closes()
