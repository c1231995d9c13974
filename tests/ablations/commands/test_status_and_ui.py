"""`status`, `ui` and `doctor`: what is on a store, where its pages are, what this machine is."""

import io
import json
import time
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
import typer
from commands import called, recorded, the_plan, tree, written_study
from rich.console import Console
from timed_machine import timed_machine

from ablations import machine_profile
from ablations.commands import app, ui
from ablations.commands.progress_table import Live
from ablations.errors import UsageError
from ablations.machine_profile import Rate, choose
from ablations.machine_timing import Miniature
from simclr_core.training import SideBySide
from sweeps.execution.study_progress import progress
from sweeps.storage.launch_log import save_plan
from sweeps.storage.store import Store
from sweeps.tracking.client import RunLocation

GIB = 1024**3
FAILED = {"state": "failed", "values": {}, "error": "Diverged: the loss is nan"}


@pytest.fixture
def half_done(here: Path) -> Path:
    """A store with 6 of 10 trials finished and 2 failed."""
    plan = the_plan(written_study(here))
    told = {"crop": FAILED, "random encoder": None}
    save_plan(recorded(Path("runs"), plan, **told), plan)
    return here / "runs"


def test_status_counts_the_trials_of_every_cell(
    half_done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(half_done, but="index.jsonl")  # a copy for speed

    said = called(capsys, "status")

    assert said.code == 0
    assert "mine@laptop: 6 of 10 trials, 2 failed, none running" in said.out
    assert "50.5 (n=2)" in said.out
    assert "failed: crop, seed 0: Diverged: the loss is nan" in said.out
    assert f"{half_done}/trials/" in said.out.replace("\n", "")
    assert tree(half_done, but="index.jsonl") == before


def test_a_store_whose_first_run_still_times_the_machine_has_no_runs_yet(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Store(here / "runs").prepare()

    said = called(capsys, "status").out

    assert f"the store {here / 'runs'} has no runs yet" in " ".join(said.split())
    assert "a run appears here when its trials begin" in " ".join(said.split())


def test_status_counts_what_a_run_with_only_did_not_name(
    half_done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "earlier runs" not in called(capsys, "status").out
    save_plan(
        Store(half_done), the_plan(half_done.parent / "mine.yaml", only=("crop",), store=half_done)
    )

    said = called(capsys, "status")

    shown = " ".join(said.out.split())
    assert "crop+colour" not in shown
    assert "plus 2 trials on record from earlier runs with other cells or seeds" in shown


def test_status_lists_each_trial_with_the_key_that_diff_takes(
    half_done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = half_done.parent / "mine.yaml"
    plan = the_plan(study)
    save_plan(Store(half_done), the_plan(study, only=("crop",), store=half_done))

    said = called(capsys, "status", "mine", "--trials")

    rows = {line.split()[-1]: line.split()[:-1] for line in said.out.splitlines() if line.split()}
    states = {"crop": ["failed"], "random encoder": ["missing"]}
    for trial in plan.trials:  # those of crop+colour are on record from an earlier run
        told = states.get(trial.cell, ["finished", f"{50 + trial.seed}.0"])
        assert rows[trial.key[:12]] == [*trial.cell.split(), str(trial.seed), *told]
    first, second = (trial.key[:12] for trial in plan.trials if trial.cell == "crop+colour")
    assert called(capsys, "diff", first, second).code == 0


@pytest.mark.usefixtures("half_done")
def test_an_unknown_key_is_answered_with_the_command_that_lists_keys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = called(capsys, "diff", "zzzz", "yyyy")

    assert said.code == 2
    assert "has no trial 'zzzz'" in said.err
    assert "`ablate status --trials` lists the keys" in said.err


def test_status_for_programs(half_done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (study,) = called(capsys, "status", "mine", "--json").json["studies"]

    cells = {cell["cell"]: cell for cell in study["cells"]}
    assert (study["study"], study["scale"]) == ("mine", "laptop")
    assert len(cells["crop"]["failed"]) == 2
    assert len(cells["crop+colour"]["finished"]) == cells["crop+colour"]["total"] == 2
    assert half_done.name == "runs"


def test_status_watches_until_it_is_interrupted(
    half_done: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)

    said = called(capsys, "status", "--watch", "--store", half_done)

    assert said.code == 130
    assert looks == [2.0] * 3
    assert "6 of 10 trials" in said.out


READ_RECORDS = (
    "status",
    "status --json",
    "list",
    "report mine.yaml",
    "diff {key} {key}",
    "plan mine.yaml",
    "compare mine runs:mine@laptop",
    "compare runs mine",
    "export {key}",
    "trial mine.yaml {key}",
)
ELSEWHERE = {
    "run": "in test_run.py, where nothing starts Ray",
    "ui": "starts MLflow's server",
    "doctor": "reads no record",
}
"""Other commands that take a store, each with the reason."""


def test_every_command_that_takes_a_store_is_asked_for_damaged_records() -> None:
    commands = typer.main.get_command(app).commands
    take = {name for name, one in commands.items() if any(p.name == "store" for p in one.params)}

    assert take == {words.split()[0] for words in READ_RECORDS} | set(ELSEWHERE)


@pytest.mark.parametrize("words", READ_RECORDS)
def test_whichever_command_sets_a_record_aside_says_so_once(
    half_done: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    key, attempt, file = next(Store(half_done).places())
    file.write_text(file.read_text().replace('"seconds"', '"second"', 1))

    said = called(capsys, *words.format(key=key).split())
    again = called(capsys, *words.format(key=key).split())

    assert said.err.count("; it was moved to ") == 1
    assert f"{key}/{attempt:03d} " in said.err
    assert "it was moved to" not in again.err


def test_status_of_an_unknown_study_names_the_nearest(
    half_done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = called(capsys, "status", "mime")

    assert said.code == 2
    assert f"the store {half_done} has no run of 'mime'; did you mean 'mine'?" in said.err


def test_a_piped_run_prints_lines_and_a_terminal_shows_a_table(half_done: Path) -> None:
    plan = the_plan(half_done.parent / "mine.yaml", store=half_done)
    from sweeps.storage.store import Store

    state = progress(Store(half_done), plan)
    piped, terminal = io.StringIO(), io.StringIO()
    with Live(Console(file=piped, width=100), "top1", "top-1", "%") as live:
        live.update(state)
    with Live(Console(file=terminal, width=100, force_terminal=True), "top1", "top-1", "%") as live:
        live.update(state)

    assert piped.getvalue().startswith("6 of 10 trials, 2 failed")
    assert "\x1b" not in piped.getvalue()
    assert "crop+colour" in terminal.getvalue()
    assert "50.5 (n=2)" in terminal.getvalue()


def test_a_piped_line_that_says_the_same_is_repeated_every_minute_only(
    half_done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = the_plan(half_done.parent / "mine.yaml")
    state = progress(Store(half_done), plan)
    clock = iter(range(0, 1000, 11))  # seconds; each call is later than a line may follow another
    monkeypatch.setattr("ablations.commands.progress_table.time.monotonic", lambda: next(clock))
    piped = io.StringIO()

    with Live(Console(file=piped, width=100), "top1", "top-1", "%") as live:
        for _ in range(8):
            live.update(state)

    assert len(piped.getvalue().splitlines()) == 3  # the first, one a minute later, and the last


# ui


def test_the_addresses_open_the_kept_views_and_a_trial_has_a_page_of_its_own() -> None:
    cells, chart, runs = ui.addresses("http://127.0.0.1:5000", "3", None)
    (page,) = ui.addresses("http://127.0.0.1:5000", "3", "0123")

    begins = "http://127.0.0.1:5000/#/experiments/3/runs?workflowType=machine_learning"
    assert cells == f"{begins}&viewStateShareKey=cells"
    assert chart == f"{cells}&compareRunsMode=CHART"
    assert runs == f"{begins}&viewStateShareKey=runs"
    assert page == "http://127.0.0.1:5000/#/experiments/3/runs/0123"


def test_with_a_server_elsewhere_ui_prints_its_address_and_serves_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:

    found = RunLocation("http://tracker:5000", "http://tracker:5000", "", "4", "abcd")
    monkeypatch.setattr("sweeps.tracking.locate_runs", lambda *_: found)

    said = called(capsys, "ui", "ab", "--tracking", "http://tracker:5000")

    assert (said.code, said.out) == (0, "http://tracker:5000/#/experiments/4/runs/abcd\n")


def test_ui_of_an_empty_store_says_to_run_first(capsys: pytest.CaptureFixture[str]) -> None:
    said = called(capsys, "ui")

    assert said.code == 2
    assert "run one first" in said.err


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (1, "exited with code 1; is http://x in use? choose another port with --port"),
        (None, "did not answer at http://x within 0 s"),
    ],
)
def test_a_server_that_does_not_come_up_is_one_message(
    monkeypatch: pytest.MonkeyPatch, ended: int | None, words: str
) -> None:
    monkeypatch.setattr(ui, "PATIENCE", 0.01)
    server = mock.Mock(returncode=ended)
    server.poll.return_value = ended
    monkeypatch.setattr(ui.urllib.request, "urlopen", mock.Mock(side_effect=OSError))

    with pytest.raises(UsageError) as caught:
        ui.wait(server, "http://x")

    assert str(caught.value) == f"the MLflow server {words}"


def test_a_server_that_ends_by_itself_is_one_message(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = RunLocation("sqlite:///x", str(here), "artifacts", "1", None)
    monkeypatch.setattr("sweeps.tracking.locate_runs", lambda *_: found)
    monkeypatch.setattr(ui, "start", lambda *_: mock.Mock(returncode=-9))
    for step in ("wait", "stop"):
        monkeypatch.setattr(ui, step, lambda *_: None)

    said = called(capsys, "ui")

    assert said.code == 2
    assert said.err == "ablate: the MLflow server exited unexpectedly with code -9\n"


# The machine's own timing

MEASURE = machine_profile.measure
SMALL = Miniature(step=1e-4, views=0.5, evaluation=1e-4)


@pytest.fixture
def timing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine is timed, all but its trial in miniature."""
    monkeypatch.setattr(machine_profile, "measure", MEASURE)
    monkeypatch.setattr(machine_profile, "miniature", lambda *_: SMALL)


def rates(*found: tuple[int, float]) -> list[Rate]:
    return [
        Rate(threads=threads, memory_format="contiguous", images_per_second=speed)
        for threads, speed in found
    ]


@pytest.mark.parametrize(
    ("found", "cores", "memory", "expected"),
    [
        (rates((1, 100), (2, 150)), 2, 64 * GIB, (1, 2)),  # two trials of one thread: 200
        (rates((1, 100), (2, 250)), 2, 64 * GIB, (2, 1)),  # one trial of two: 250
        (rates((1, 100), (8, 300)), 8, 5 * GIB, (8, 1)),  # room for two: 200 in all
        (rates((1, 200), (8, 300)), 8, 5 * GIB, (4, 2)),  # room for two, which share the cores
    ],
)
def test_the_setting_that_trains_most_images_together_is_chosen(
    found: list[Rate], cores: int, memory: int, expected: tuple[int, int]
) -> None:
    assert choose(found, cores, memory, "cpu")[:2] == expected


def test_an_accelerator_has_one_trial_at_a_time() -> None:
    assert choose(rates((16, 900)), 16, 64 * GIB, "cuda")[:2] == (16, 1)


def profile(device: Any, slots: int, **more: Any) -> machine_profile.Machine:
    return machine_profile.Machine(
        cpu="x", cores=8, device=device, torch="x", threads=4, slots=slots,
        memory_format="contiguous", rates=(), timed="", **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("device", "slots", "workers", "asked", "expected"),
    [
        ("cpu", 2, None, 1, (1, None, 8)),
        ("cpu", 2, None, 4, (4, None, 2)),
        ("cpu", 2, None, 20, (20, None, 1)),
        ("cpu", 2, None, None, (2, None, 4)),
        ("cuda", 8, 1, 3, (3, 1, 4)),
        ("cuda", 16, 2, 5, (5, 2, 4)),
    ],
)
def test_a_chosen_number_of_slots_divides_cores_or_goes_to_all_gpus(
    device: Any,
    slots: int,
    workers: int | None,
    asked: int | None,
    expected: tuple[int, int | None, int],
) -> None:
    found = profile(device, slots, workers=workers).with_slots(asked)

    assert (found.slots, found.workers, found.threads) == expected


@pytest.mark.parametrize(
    ("device", "slots", "members", "workers"),
    [("cuda", 16, 8, 2), ("cuda", 3, 1, 3), ("cpu", 2, 1, None)],
)
def test_a_profile_of_an_earlier_version_has_the_gpus_that_it_had(
    device: str, slots: int, members: int, workers: int | None
) -> None:
    assert profile(device, slots, members=members).workers == workers


@pytest.mark.parametrize(
    ("slots", "gpus", "expected"),
    [
        (8, 1, None),
        (2, None, None),
        (8, 4, "8 at a time on 4 GPUs: 2 on each"),
        (9, 4, "9 at a time on 4 GPUs: 3, 2, 2 and 2; --slots 12 loads all alike"),
        (3, 2, "3 at a time on 2 GPUs: 2 and 1; --slots 4 loads all alike"),
        (3, 4, "3 at a time use 3 of 4 GPUs; --slots 4 uses all of them"),
    ],
)
def test_how_gpus_share_the_trials_is_said(
    slots: int, gpus: int | None, expected: str | None
) -> None:
    assert machine_profile.on_gpus(slots, gpus) == expected


@pytest.mark.usefixtures("timing")
def test_on_a_gpu_as_many_trials_run_at_once_as_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_profile, "images_per_second", lambda *_: 100.0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(SideBySide, "rates", lambda *_: {1: 10.0, 2: 19.0, 4: 30.0, 8: 31.0}.get)
    monkeypatch.setattr(SideBySide, "__init__", lambda *_: None)
    let_go: list[bool] = []
    monkeypatch.setattr(SideBySide, "let_go", lambda _: let_go.append(True))

    found = machine_profile.measure("cuda")

    assert (found.workers, found.slots) == (2, 8)
    assert let_go, "what was timed leaves the GPU's memory to the workers"


@pytest.mark.proof
def test_doctor_saves_the_timing_where_it_is_asked_to_and_plan_tells_the_time(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = written_study(here)
    monkeypatch.setattr(machine_profile, "measure", MEASURE)
    monkeypatch.setattr(machine_profile, "images_per_second", lambda *_: 100.0)

    silent = called(capsys, "doctor", "--store", "runs")
    unsaved = (here / "runs").exists()
    saved = called(capsys, "doctor", "--store", "runs", "--save")
    plan = called(capsys, "plan", study)

    assert (silent.code, unsaved, saved.code) == (0, False, 0)
    timed = machine_profile.known(here / "runs/machine.json")
    assert timed is not None
    assert timed.miniature is not None
    assert "based on the machine's profile; no such trial has finished here" in plan.out
    assert "energy: about " in plan.out
    assert "times are those of" not in plan.out


def test_the_times_of_another_machine_are_said_to_be_its_and_doctor_times_this_one(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = written_study(here)
    Store(here / "runs").prepare()
    machine_profile.keep(profile("cpu", 2), here / "runs/machine.json")
    monkeypatch.setattr(machine_profile, "measure", lambda _: timed_machine())

    plan = called(capsys, "plan", study)
    doctor = called(capsys, "doctor", "--store", "runs")

    assert (
        "note: times are those of the machine that this store was timed on (x, 8 cores, cpu, torch "
        "x); `ablate doctor --save` times this one"
    ) in plan.out
    assert f"machine: {timed_machine().cpu}, " in doctor.out


@pytest.mark.usefixtures("timing")
def test_a_machine_is_timed_once_and_again_when_it_is_another(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requested: list[int] = []

    def speed(device: str, threads: int, form: str, precision: str = "fp32") -> float:
        del device, form, precision
        requested.append(threads)
        return 100.0

    monkeypatch.setattr(machine_profile, "images_per_second", speed)
    file = here / "machine.json"
    first = machine_profile.machine(file, "cpu")
    times = len(requested)
    second = machine_profile.machine(file, "cpu")
    monkeypatch.setattr(machine_profile, "cpu_name", lambda: "another")
    third = machine_profile.machine(file, "cpu")

    assert times == 2 * len({1, machine_profile.usable_cores()})
    assert second == first
    assert len(requested) == 2 * times
    assert third.cpu == json.loads(file.read_text())["cpu"] == "another"


@pytest.mark.usefixtures("timing")
def test_doctor_says_what_the_machine_is_what_bf16_would_gain_and_what_is_missing(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        machine_profile,
        "images_per_second",
        lambda _device, threads, _form, precision="fp32": (
            100.0 * threads * (1.75 if precision == "bf16" else 1)
        ),
    )

    said = called(capsys, "doctor", "--data", "nowhere")
    told = called(capsys, "doctor", "--json").json

    assert said.code == 0
    assert "bf16: 1.75 times the speed of fp32 here; --set precision=bf16 selects it" in said.out
    assert "missing: data: " in said.out
    assert "nowhere" in said.out
    assert told["bf16_gain"] == pytest.approx(1.75)
    assert told["timing"]["slots"] * told["timing"]["threads"] <= machine_profile.usable_cores()
    assert list(here.iterdir()) == []
