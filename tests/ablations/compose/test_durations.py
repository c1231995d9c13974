"""How long a plan takes: from records, from the machine's profile, in slots, and what fits a budget."""

import math
import tarfile
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from commands import STUDY, called, record_of, recorded, the_plan, written_study
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ablations.compose.durations import (
    START,
    Expected,
    duration,
    expected,
    rounds_within,
)
from ablations.compose.planning import cost
from ablations.machine_profile import Machine
from ablations.machine_timing import Miniature
from sweeps.planning import Known, Plan, Trial
from sweeps.storage import Store


def profile(**changes: object) -> Machine:
    small = Miniature(step=0.002, views=0.25, evaluation=0.001)
    fields = {
        "cpu": "x",
        "cores": 2,
        "device": "cpu",
        "torch": "x",
        "threads": 1,
        "slots": 2,
        "memory_format": "contiguous",
        "rates": (),
        "timed": "",
        "miniature": small,
    }
    return Machine.model_validate({**fields, **changes})


def made(here: Path, text: str = STUDY) -> Plan:
    return the_plan(written_study(here, text))


def summaries(plan: Plan, store: str = "runs", **seconds: list[float]) -> list:
    found = Store(store)
    found.prepare()
    for trial in plan.trials:
        own = seconds.get(trial.cell.replace("+", "_"))
        if own and trial.seed < len(own):
            record = record_of(trial, plan, seconds=own[trial.seed])
            found.commit(record, found.running / f"{trial.key}.log")
    return list(found.known().summaries)


def listed(todo: tuple[Trial, ...], seconds: dict[str, float], slots: int) -> float:
    """A scalar restatement: each job goes to the slot that is free first."""
    jobs: dict[str, float] = {}
    for trial in todo:
        jobs[trial.stages[0].key] = jobs.get(trial.stages[0].key, 0) + seconds[trial.key]
    ends = [0.0] * slots
    for one in jobs.values():
        ends[ends.index(min(ends))] += one
    return max(ends)


@given(slots=st.integers(1, 4), data=st.data())
def test_jobs_go_to_the_slot_that_is_free_first(slots: int, data: st.DataObject) -> None:
    todo = TODO
    seconds = {trial.key: data.draw(st.floats(0.1, 100)) for trial in todo}

    found = duration(Expected(seconds, 0.2, ""), todo, slots)

    whole = listed(todo, seconds, slots)
    assert found.middle == pytest.approx(START + whole)
    tenth = math.exp(0.2 * NormalDist().inv_cdf(0.9))
    assert found.high - START == pytest.approx(whole * tenth, rel=1e-4)
    assert found.low - START == pytest.approx(whole / tenth, rel=1e-4)


@pytest.fixture(autouse=True, scope="module")
def _todo(tmp_path_factory: pytest.TempPathFactory) -> None:
    global TODO  # noqa: PLW0603 -- planned once for all examples
    TODO = the_plan(written_study(tmp_path_factory.mktemp("plan"))).todo


TODO: tuple[Trial, ...] = ()


def test_a_cell_on_record_takes_what_its_trials_took(here: Path) -> None:
    plan = made(here)
    known = summaries(plan, crop=[50.0, 70.0])
    again = the_plan(here / "mine.yaml", store=here / "runs", again=True)

    found = expected(again, known, None)

    assert found is not None
    own = {found.seconds[t.key] for t in again.todo if t.cell == "crop"}
    assert own == {60.0}
    assert {found.seconds[t.key] for t in again.todo if t.cell == "crop+colour"} == {60.0}
    logs = np.log([50.0, 70.0])
    assert found.spread == pytest.approx(np.std(logs, ddof=1))
    assert found.source == "2 finished trials here"


def test_without_records_or_profile_nothing_is_told(here: Path) -> None:
    assert expected(made(here), [], None) is None
    assert expected(made(here), [], profile(miniature=None)) is None


def test_the_profile_tells_before_the_first_trial_and_records_correct_it(here: Path) -> None:
    plan = made(here)

    before = expected(plan, [], profile())
    after = expected(plan, summaries(plan, crop=[50.0, 70.0]), profile())

    assert before is not None
    assert after is not None
    of = {trial.cell: before.seconds[trial.key] for trial in plan.trials}
    assert of["crop"] == of["crop+colour"] > of["random encoder"] > 0
    colour = next(trial for trial in plan.trials if trial.cell == "crop+colour")
    assert after.seconds[colour.key] == pytest.approx(60.0)
    floor = next(trial for trial in plan.trials if trial.cell == "random encoder")
    assert after.seconds[floor.key] == pytest.approx(60.0 * of["random encoder"] / of["crop"])
    assert before.source == "the machine's profile; no such trial has finished here"


def test_finished_trials_of_another_configuration_say_nothing(here: Path) -> None:
    known = summaries(made(here), crop=[50.0, 70.0])
    longer = made(here, STUDY.replace("epochs: 1", "epochs: 30"))

    found = expected(longer, known, profile())

    assert found is not None
    assert found == expected(longer, [], profile())
    assert expected(longer, known, None) is None


def test_a_trial_whose_encoder_is_there_only_evaluates(here: Path) -> None:
    plan = made(here)
    crop, *_ = [trial for trial in plan.todo if trial.cell == "crop"]
    permuted = next(trial for trial in plan.todo if trial.cell == "permuted labels")
    there = crop.stages[0].key
    of_records = summaries(plan, crop=[50.0, 70.0])

    train, evaluate = (expected(plan, [], profile(), some) for some in ((), {there}))
    again = the_plan(here / "mine.yaml", store=here / "runs", again=True)
    anew = expected(again, of_records, profile(), {there})

    assert train is not None
    assert evaluate is not None
    assert 0 < evaluate.seconds[crop.key] < train.seconds[crop.key]
    assert train.seconds[permuted.key] < train.seconds[crop.key]  # the encoder of a trial before it
    assert anew is not None
    assert anew.seconds[crop.key] == 60.0  # repeated, it uses nothing that is there


def test_training_grows_with_epochs_and_operations_and_views_with_pixels(here: Path) -> None:
    def seconds(text: str) -> float:
        found = expected(made(here, text), [], profile())
        assert found is not None
        return next(found.seconds[t.key] for t in made(here, text).trials if t.cell == "crop")

    one, three = seconds(STUDY), seconds(STUDY.replace("epochs: 1", "epochs: 3"))
    none = 3 * one / 2 - three / 2  # evaluation alone

    assert none > 0
    five = seconds(STUDY.replace("epochs: 1", "epochs: 5"))
    assert five == pytest.approx(none + 5 * (one - none))
    wide = seconds(STUDY.replace("width: 0.0625", "width: 0.25"))
    assert wide > one


def test_whole_rounds_fit_a_budget(here: Path) -> None:
    plan = the_plan(written_study(here), seeds=(0, 1, 2, 3))
    found = Expected({trial.key: 10.0 for trial in plan.todo}, 0.1, "")
    rounds = [sum(trial.seed <= seed for trial in plan.todo) for seed in range(4)]

    for number, trials in enumerate(rounds, 1):
        ends = START + 10.0 * trials
        assert rounds_within(found, plan.todo, 1, ends) == number
        assert rounds_within(found, plan.todo, 1, ends - 0.1) == number - 1


def test_plan_says_what_fits_and_what_is_left(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here)
    plan = the_plan(study, seeds=(0, 1, 2))
    recorded(Path("runs"), the_plan(study, seeds=(0,)))

    some = called(capsys, "plan", study, "--seeds", "4", "--budget", "10m")
    none = called(capsys, "plan", study, "--seeds", "4", "--budget", "1m")
    every = called(capsys, "plan", study, "--seeds", "4", "--budget", "2d", "--json").json
    fresh = called(capsys, "plan", study, "--store", "other", "--budget", "1h")

    # Three trials of 60 s in each of the seeds 1 to 3, and shuffled positives at seed 1.
    assert "budget 10 min: seeds 1, 2 fit; seed 3 is left to another run" in some.out
    assert "--budget 600s" in some.out
    assert "budget 60 s: not even the first round of seeds fits: it takes about " in none.out
    assert "start with" not in none.out
    assert every["budget"]["seeds"] == [1, 2, 3]
    assert "which rounds of seeds fit is unknown before the machine is timed" in fresh.out
    assert plan.todo


@pytest.mark.parametrize("text", ["", "h", "2x", "-1h", "0h", "1e3s", "inf", "nan"])
def test_a_wrong_budget_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    said = called(capsys, "plan", written_study(here), f"--budget={text}")

    assert said.code == 2
    assert f"--budget: must be a time such as 2h, 1.5h or 90m, got {text!r}" in said.err


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2", 7200.0), ("1.5h", 5400.0), ("90m", 5400.0), ("45s", 45.0), ("2d", 172800.0)],
)
def test_a_budget_is_in_hours_unless_it_says_otherwise(
    here: Path, capsys: pytest.CaptureFixture[str], text: str, seconds: float
) -> None:
    told = called(capsys, "plan", written_study(here), "--budget", text, "--json").json

    assert told["budget"]["seconds"] == seconds


def images_of(folder: Path, **counts: int) -> None:
    """Class folders with so many different images each."""
    for label, many in counts.items():
        (folder / label).mkdir(parents=True)
        for nth in range(many):
            Image.new("RGB", (8, 8), (nth, len(label), 7)).save(folder / label / f"{nth}.png")


@pytest.mark.parametrize("parts", [False, True])
def test_a_folder_costs_what_as_many_textures_cost(parts: bool, here: Path) -> None:  # noqa: FBT001
    own = {"train/a": 20, "train/bb": 44, "test/a": 12, "test/bb": 20}
    images_of(here / "images", **(own if parts else {"a": 40, "bb": 56}))
    (here / "images" / ("train/a" if parts else "a") / "notes.txt").touch()
    split = "" if parts else ", test_fraction: 0.3333"
    textures = "{kind: textures, num_images: 64, num_test: 32}"
    folder = STUDY.replace(textures, f"{{kind: folder, path: images{split}}}")
    made, mine = (
        cost(the_plan(written_study(here, text, name)), Known(), profile())
        for text, name in ((STUDY, "made.yaml"), (folder, "mine.yaml"))
    )

    assert made.duration is not None
    assert (mine.duration, mine.memory, mine.compute) == (made.duration, made.memory, made.compute)
    assert mine.disk == made.disk


def test_an_archive_is_not_read_to_its_end_for_an_estimate(here: Path) -> None:
    images_of(here / "images", a=40, bb=40)
    with tarfile.open(here / "images.tar", "w") as tar:
        tar.add(here / "images", "images")
    text = STUDY.replace(
        "{kind: textures, num_images: 64, num_test: 32}", "{kind: folder, path: P}"
    )
    folder, archive = (
        the_plan(written_study(here, text.replace("path: P", f"path: {name}"), f"{name}.yaml"))
        for name in ("images", "images.tar")
    )

    assert cost(folder, Known(), profile()).duration is not None
    assert cost(archive, Known(), profile()).duration is None


def test_trials_of_a_folder_count_for_those_that_are_planned(here: Path) -> None:
    images_of(here / "images", a=40, bb=40)
    text = STUDY.replace(
        "{kind: textures, num_images: 64, num_test: 32}", "{kind: folder, path: images}"
    )
    plan = the_plan(written_study(here, text))
    store = recorded(here / "runs", plan, **{"crop+colour": None})
    plan = the_plan(here / "mine.yaml", store=here / "runs")

    found = cost(plan, store.known(), profile()).expected

    assert found is not None
    assert found.source == "8 finished trials here"
