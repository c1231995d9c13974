"""`--set` and `--data` make a variation: a history of its own, next to that of its study."""

import json
import re
import shlex
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from commands import called, record_of, recorded, the_plan, tree, written_study
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ablations.commands import report_tracking
from ablations.compose.planning import compose, cost
from ablations.compose.variation_name import variation_of
from ablations.evidence.collect import evidence
from ablations.evidence.resolved import snapshot_of
from ablations.study.assignments import Setting, parse_assignment
from ablations.study.request import Request
from simclr_core.config.overrides import default_settings
from sweeps.planning.trial_plan import Plan
from sweeps.record import TrialRecord
from sweeps.storage.launch_log import load_plan, studies
from sweeps.storage.store import Store
from sweeps.tracking.contract import TrackingResult

SAFE = r"[a-z0-9][a-z0-9._=+@-]*"


def images(folder: Path, *colours: str) -> Path:
    """A folder of two classes, whose content the colours decide."""
    for place, colour in enumerate(colours or ("red", "lime", "blue", "white")):
        (folder / "ab"[place % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), colour).save(folder / "ab"[place % 2] / f"{place}.png")
    return folder


def settings(*texts: str) -> tuple[Setting, ...]:
    return tuple(parse_assignment(text) for text in texts)


def name_of(study: Path, *texts: str, **request: Any) -> str:
    return the_plan(study, set=settings(*texts), **request).variation


# The name


def test_a_name_says_the_difference_first_and_is_a_plain_word(here: Path) -> None:
    study = written_study(here)

    assert name_of(study, "loss.temperature=0.2") == "loss.temperature=0.2"
    assert the_plan(study, set=settings("batch_size=16", "loss.temperature=0.2")).label == (
        "mine@laptop+batch_size=16+loss.temperature=0.2"
    )
    assert the_plan(study).label == "mine@laptop"


def test_subsets_and_what_moves_no_number_are_no_variation(here: Path) -> None:
    study = written_study(here)

    for request in (
        {"only": ("crop",)},
        {"seeds": (7, 8)},
        {"device": "cpu"},
        {"store": Path("elsewhere")},
        {"recompute": True},
        {"again": True},
    ):
        assert the_plan(study, **request).label == "mine@laptop", request


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("batch_size=16", "loss.temperature=0.2"), ("loss.temperature=0.2", "batch_size=16")),
        (("encoder={width: 0.125}",), ("encoder.width=0.125",)),
        (("loss.temperature=3", "loss.temperature=0.2"), ("loss.temperature=0.2",)),
        (("loss.temperature=1",), ("loss.temperature=1.0",)),
        (("batch_size=16", "epochs=1"), ("batch_size=16",)),  # the study has one epoch
        (("epochs=1",), ()),
    ],
)
def test_what_means_the_same_has_one_name(
    here: Path, first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    study = written_study(here)

    one, other = (the_plan(study, set=settings(*texts)) for texts in (first, second))

    assert one.label == other.label
    assert {trial.key for trial in one.trials} == {trial.key for trial in other.trials}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("loss.temperature=0.2",), ("loss.temperature=0.3",)),
        (("loss={kind: nt_xent, temperature: 0.2}",), ("loss={kind: nt_xent, temperature: 0.3}",)),
        (("data.name=Obst",), ("data.name=obst",)),  # one folder where case is not kept
        (("data.name='0.2'",), ("data.name='0.3'",)),
        (("data.name=a/b",), ("data.name=a-b",)),
        (("data.name=" + "x" * 300 + "1",), ("data.name=" + "x" * 300 + "2",)),
    ],
)
def test_what_means_another_thing_has_another_name_that_file_systems_take(
    first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    before = default_settings()
    names = [variation_of(before, settings(*texts), None) for texts in (first, second)]

    assert len({name.lower() for name in names}) == 2
    for name in names:
        assert re.fullmatch(SAFE, name), name
        assert len(f"{'s' * 64}@laptop+{name}") < 200


VALUES = st.one_of(
    st.booleans(), st.integers(-3, 3), st.floats(-2, 2, width=16), st.text(max_size=6), st.none(),
    st.lists(st.integers(0, 2), max_size=2),
)  # fmt: skip


@given(
    st.dictionaries(st.sampled_from(["x", "y", "x.y", "data.name"]), VALUES, max_size=3),
    st.dictionaries(st.sampled_from(["x", "y", "x.y", "data.name"]), VALUES, max_size=3),
    st.randoms(use_true_random=False),
)
def test_names_differ_exactly_where_settings_do(
    one: dict[str, Any], other: dict[str, Any], chance: Any
) -> None:
    def name(values: dict[str, Any]) -> str:
        requested = [Setting(field, value, "--set") for field, value in values.items()]
        # Whether a part of a field comes before the field matters; all else may be shuffled.
        if not {"x", "x.y"} <= values.keys():
            chance.shuffle(requested)
        return variation_of(
            {"x": {"y": "other"}, "y": "other", "data": {"name": ()}}, requested, None
        )

    def text(values: dict[str, Any]) -> str:
        whole = {
            field: int(v) if isinstance(v, float) and v.is_integer() else v
            for field, v in values.items()
        }
        return json.dumps(whole, sort_keys=True)

    if {"x", "x.y"} <= one.keys() or {"x", "x.y"} <= other.keys():
        return
    assert (name(one) == name(other)) == (text(one) == text(other))


def test_images_are_named_by_their_folder_and_told_apart_by_their_content(here: Path) -> None:
    study = written_study(here)
    first = images(here / "one" / "Obst Daten")
    second = images(here / "two" / "Obst Daten", "red", "lime", "blue", "black")
    copy = images(here / "three" / "Obst Daten")

    names = [the_plan(study, data=path).variation for path in (first, second, copy)]
    relative = the_plan(study, data=Path("one/Obst Daten")).variation

    assert re.fullmatch(r"data=obst-daten-[0-9a-f]{8}", names[0])
    assert names[1].startswith("data=obst-daten-")
    assert names[1] != names[0]
    assert names[0] == names[2] == relative
    both = the_plan(study, data=first, set=settings("loss.temperature=0.2")).variation
    assert both == f"{names[0]}+loss.temperature=0.2"


# Nothing mixes


class Tracker:
    def settle(self, **_: Any) -> None:
        """Nothing is tracked."""

    def close(self, **_: Any) -> TrackingResult:
        return TrackingResult(0, None, 0.0)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The labels under which tracking was opened."""
    labels: list[str] = []

    def open_tracking(_: Store, plan: Plan, **__: Any) -> Tracker:
        labels.append(plan.label)
        return Tracker()

    monkeypatch.setattr(report_tracking, "open_tracking", open_tracking)
    return labels


WARMER = ("--set", "loss.temperature=0.2")


def both_recorded(here: Path, **told: dict[str, Any]) -> tuple[Path, Plan, Plan]:
    """A study and a variation of it, all trials on record, each record as its own run left it."""
    study = written_study(here)
    plain = the_plan(study)
    store = recorded(here / "runs", plain)
    other = the_plan(study, set=settings(WARMER[1]), store=here / "runs")
    for trial in other.todo:
        record = record_of(trial, other, variation=other.variation, **told.get(trial.cell, {}))
        store.commit(record, store.running / "log")
    return study, plain, other


def test_a_variation_overwrites_nothing_of_its_study(
    here: Path, capsys: pytest.CaptureFixture[str], opened: list[str]
) -> None:
    study, _, _ = both_recorded(here, crop={"values": {"top1": 70.0}})
    assert called(capsys, "run", study).code == 0
    place = here / "runs/studies/mine@laptop"
    before = tree(place)

    said = called(capsys, "run", study, *WARMER)

    assert said.code == 0, said.err
    assert tree(place) == before
    own = here / "runs/studies/mine@laptop+loss.temperature=0.2"
    assert f"report: {own / 'report.html'}\n" in said.out
    page = (own / "report.html").read_text(encoding="utf-8")
    assert "variation loss.temperature=0.2" in page
    assert "loss.temperature=0.2" not in (place / "report.html").read_text(encoding="utf-8")
    assert opened == ["mine@laptop", "mine@laptop+loss.temperature=0.2"]
    assert called(capsys, "report", study, *WARMER).code == 0
    assert tree(place) == before


def test_status_counts_each_variation_by_itself(
    here: Path, capsys: pytest.CaptureFixture[str], opened: list[str]
) -> None:
    failed = {"state": "failed", "values": {}, "error": "Diverged: the loss is nan"}
    study, _, _ = both_recorded(here, crop=failed)
    called(capsys, "run", study)
    called(capsys, "run", study, *WARMER)
    assert len(opened) == 2

    said = called(capsys, "status")
    found = called(capsys, "status", "mine", "--json").json["studies"]
    one = called(capsys, "status", "mine@laptop+loss.temperature=0.2").out

    assert (
        "mine@laptop: 10 of 10 trials\n" in said.out or "mine@laptop: 10 of 10 trials," in said.out
    )
    assert "mine@laptop+loss.temperature=0.2: 8 of 10 trials, 2 failed" in said.out
    assert [study["variation"] for study in found] == ["", "loss.temperature=0.2"]
    assert one.count("mine@laptop") == 1


def test_records_of_a_variation_count_where_their_keys_are_planned_and_nowhere_else(
    here: Path,
) -> None:
    study, plain, other = both_recorded(here, crop={"values": {"top1": 70.0}})

    def cells(*texts: str) -> dict[str, list[float | None]]:
        composed, store = compose(
            Request(study=str(study), set=settings(*texts), store=here / "runs")
        )
        told = evidence(snapshot_of(composed), composed.request, store)
        assert {record.key for record in told.records} == {trial.key for trial in told.planned}
        found: dict[str, list[float | None]] = {}
        for record in told.records:
            found.setdefault(record.cell, []).append(record.values["top1"])
        return found

    shared = {t.key for t in plain.trials} & {t.key for t in other.trials}
    assert {t.cell for t in plain.trials if t.key in shared} == {"random encoder", "raw pixels"}
    assert sorted(cells()["crop"]) == [50.0, 51.0]
    assert cells(WARMER[1])["crop"] == [70.0, 70.0]
    assert cells()["random encoder"] == cells(WARMER[1])["random encoder"]


def test_seeds_of_a_variation_are_not_those_of_its_study(here: Path) -> None:
    study = written_study(here)
    recorded(here / "runs", the_plan(study))
    more = the_plan(study, set=settings(WARMER[1]), seeds=(0, 1, 2, 3))
    store = Store(here / "runs")
    for trial in more.trials:
        store.commit(record_of(trial, more, variation=more.variation), store.running / "log")

    composed, store = compose(Request(study=str(study), store=here / "runs"))

    assert {
        trial.seed for trial in evidence(snapshot_of(composed), composed.request, store).planned
    } == {0, 1}


def test_what_trials_took_in_a_variation_tells_nothing_of_its_study(here: Path) -> None:
    study = written_study(here)
    other = the_plan(study, set=settings("epochs=50"))
    store = Store(here / "runs")
    store.prepare()
    for trial in other.trials:
        record = record_of(trial, other, variation=other.variation, seconds=5000.0)
        store.commit(record, store.running / "log")

    plan = the_plan(study, store=here / "runs")

    assert cost(plan, store.known()).duration is None
    assert {t.reason for t in plan.todo} == {"missing"}  # not "configuration changed"


def test_a_record_says_which_variation_ran_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here)
    trial = the_plan(study, set=settings(WARMER[1])).trials[0]

    said = called(capsys, "trial", study, trial.key, *WARMER)

    assert said.code == 0, said.err
    (summary,) = Store(here / "runs").summaries()
    assert (summary.variation, summary.label) == (
        "loss.temperature=0.2",
        "mine@laptop+loss.temperature=0.2",
    )


def test_records_from_before_there_were_variations_still_load(here: Path) -> None:
    study = written_study(here)
    plan = the_plan(study)
    store = recorded(here / "runs", plan)
    for file in store.trials.glob("*/*/record.json"):
        about = json.loads(file.read_text())
        assert about.pop("variation") == ""
        about.pop("seal", None)
        about["format"] = 1
        file.write_text(json.dumps(about))

    again = Store(here / "runs")

    assert {one.variation for one in again.summaries()} == {""}
    assert len(again.summaries()) == len(plan.trials)
    assert TrialRecord.model_fields["variation"].default == ""


# `report` without the options of the run


def run_as(here: Path, plan: Plan) -> None:
    """All trials of a plan on record, as its own run left them."""
    store = Store(here / "runs")
    store.prepare()
    for trial in plan.todo:
        store.commit(record_of(trial, plan, variation=plan.variation), store.running / "log")


def test_report_finds_the_only_variation_on_record_and_names_its_settings(
    here: Path, capsys: pytest.CaptureFixture[str], opened: list[str]
) -> None:
    study = written_study(here)
    folder = images(here / "obst daten")
    other = the_plan(study, data=folder)
    run_as(here, other)
    assert called(capsys, "run", study, "--data", "obst daten").code == 0
    assert opened == [other.label]
    report = here / "runs/studies" / other.label / "report.html"
    report.unlink()
    settings_of_it = shlex.join(["--data", str(folder)])

    said = called(capsys, "report", study)

    assert said.code == 0, said.err
    assert said.err == (
        "ablate: mine@laptop was not run; this is the report of its only variation on record: "
        f"{settings_of_it}\n"
    )
    page = unescape(report.read_text(encoding="utf-8"))
    assert f"A variation of the study mine: {settings_of_it}." in page
    assert f"<title>{other.variation}: A study of my own" in page
    assert not (here / "runs/studies/mine@laptop").exists()


def test_of_several_variations_report_takes_none_and_lists_the_command_of_each(
    here: Path, capsys: pytest.CaptureFixture[str], opened: list[str]
) -> None:
    study = written_study(here)
    for value in ("0.2", "0.3"):
        run_as(here, the_plan(study, set=settings(f"loss.temperature={value}")))
        assert called(capsys, "run", study, "--set", f"loss.temperature={value}").code == 0
    assert len(opened) == 2
    before = tree(here / "runs", but="index.jsonl")

    said = called(capsys, "report", study)

    assert said.code == 2
    assert tree(here / "runs", but="index.jsonl") == before
    commands = re.findall(r"`(.*?)`", said.err)
    assert commands == [
        f"ablate report {study} --set loss.temperature={value}" for value in ("0.2", "0.3")
    ]


def test_a_variation_is_found_where_the_study_cannot_be_resolved(
    here: Path, capsys: pytest.CaptureFixture[str], opened: list[str], monkeypatch: Any
) -> None:
    study, other = written_study(here), the_plan(written_study(here), set=settings(WARMER[1]))
    run_as(here, other)
    assert called(capsys, "run", study, *WARMER).code == 0
    assert opened == [other.label]
    monkeypatch.setitem(sys.modules, "ablations.compose", None)

    said = called(capsys, "report", study)

    assert said.code == 0, said.err
    assert "only variation on record: --set loss.temperature=0.2" in said.err


def test_list_names_what_is_on_record_the_difference_first(
    here: Path, capsys: pytest.CaptureFixture[str], opened: list[str]
) -> None:
    study, _, _ = both_recorded(here)
    for options in ((), WARMER):
        assert called(capsys, "run", study, *options).code == 0
    assert len(opened) == 2

    lines = called(capsys, "list").out.splitlines()
    found = called(capsys, "list", "--json").json["recorded"]

    assert lines[-5:] == [
        "on record in runs:",
        "  mine@laptop: 4 of 4 trials of arms",
        f"    ablate report {study}",
        "  loss.temperature=0.2, mine@laptop: 4 of 4 trials of arms",
        f"    ablate report {study} --set loss.temperature=0.2",
    ]
    assert [one["label"] for one in found] == ["mine@laptop", "mine@laptop+loss.temperature=0.2"]
    assert called(capsys, "list", "--store", "none").code == 0


def test_report_lists_all_variations_on_record_each_with_its_command(
    here: Path, capsys: pytest.CaptureFixture[str], opened: list[str]
) -> None:
    study, _, _ = both_recorded(here)
    for options in ((), WARMER):
        assert called(capsys, "run", study, *options).code == 0
    assert len(opened) == 2

    said = called(capsys, "report", study, "--set", "loss.temperature=0.9")

    assert said.code == 2
    lines = said.err.splitlines()
    assert "no records of the arms of mine@laptop+loss.temperature=0.9" in lines[0]
    commands = [re.findall(r"`(.*?)`", line)[-1] for line in lines[1:]]
    assert commands == [f"ablate report {study}", f"ablate report {study} {' '.join(WARMER)}"]
    for command in commands:
        assert called(capsys, *shlex.split(command)[1:]).code == 0


def test_a_plan_is_kept_with_its_variation_and_its_command(
    here: Path, capsys: pytest.CaptureFixture[str], opened: list[str]
) -> None:
    study, _, other = both_recorded(here)
    called(capsys, "run", study, *WARMER, "--recompute")
    assert opened == [other.label]

    store = Store(here / "runs")
    plan = load_plan(store, other.label)

    assert studies(store) == [other.label]
    assert plan is not None
    assert (plan.label, plan.variation) == (other.label, other.variation)
    assert plan.command == f"ablate run {study} {' '.join(WARMER)}"
