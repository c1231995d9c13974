"""What `plan` and `run` say before anything runs: claims out of reach, cells left out."""

from pathlib import Path
from typing import Any

import pytest
import torch
from commands import STUDY, called, recorded, the_plan, written_study

from ablations.commands import run as running
from ablations.compose import identity
from ablations.compose.planning import compose
from ablations.evidence.collect import evidence
from ablations.evidence.resolved import snapshot_of
from ablations.machine_profile import Machine
from ablations.study.request import Request
from reports.judging.verdict import verdicts
from sweeps.storage.atomic_io import write_json


def waits(study: Path, seeds: tuple[int, ...], store: Path) -> bool:
    """Whether the claim waits for its first look when all these trials are on record."""
    recorded(store, the_plan(study, seeds=seeds))
    composed, made = compose(Request(study=str(study), seeds=seeds, store=store))
    (verdict,) = verdicts(evidence(snapshot_of(composed), composed.request, made))
    return "next look" in verdict.words


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ("3", "3 seeds: no claim is judged before 5 seeds; --seeds 5"),
        ("1", "1 seed: no claim is judged before 5 seeds; --seeds 5"),
        (
            "7,8",
            "seeds 7, 8: no claim is judged, because the first look needs seeds 0 to 4 and 0, 1, 2",
        ),
        ("0,1,2,3,9", "the first look needs seeds 0 to 4 and 4 would be missing; --seeds 5"),
        ("5", None),
        ("7", None),
    ],
)
def test_seeds_that_reach_no_look_are_named_before_anything_runs(
    here: Path, capsys: pytest.CaptureFixture[str], seeds: str, message: str | None
) -> None:
    from ablations.study.request import parse_seeds

    study = written_study(here)

    out = called(capsys, "plan", study, "--seeds", seeds).out
    notes = called(capsys, "plan", study, "--seeds", seeds, "--json").json["notes"]

    assert ("no claim is judged" in out) == (message is not None)
    assert len(notes) == (message is not None)
    assert (message or "") in out
    assert waits(study, parse_seeds(seeds), here / "runs") == (message is not None)


def test_seeds_on_record_count_towards_a_look(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here)
    recorded(here / "runs", the_plan(study, seeds=(0, 1, 2, 3, 4)))

    assert "no claim is judged" not in called(capsys, "plan", study, "--seeds", "7,8").out
    other = called(capsys, "plan", study, "--seeds", "7,8", "--set", "loss.temperature=0.2").out
    assert "no claim is judged" in other


def test_seeds_of_another_configuration_count_towards_no_look(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(here / "runs", the_plan(written_study(here), seeds=(0, 1, 2, 3, 4)))
    edited = written_study(here, STUDY.replace("epochs: 1", "epochs: 2"))

    few = called(capsys, "plan", edited, "--seeds", "2").out
    alone = called(capsys, "plan", edited, "--seeds", "5", "--only", "crop+colour").out

    assert "note: 2 seeds: no claim is judged before 5 seeds; --seeds 5\n" in few
    assert "cannot be judged without crop\n" in alone


def test_seeds_of_an_earlier_version_of_the_trainer_count_towards_no_look(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = written_study(here)
    recorded(here / "runs", the_plan(study, seeds=(0, 1, 2, 3, 4)))
    monkeypatch.setattr(identity, "TRAINER_VERSION", identity.TRAINER_VERSION + 1)

    few = called(capsys, "plan", study, "--seeds", "2").out
    claims = called(capsys, "plan", study, "--seeds", "2", "--json").json["detectable"]
    alone = called(capsys, "plan", study, "--seeds", "5", "--only", "crop+colour").out

    assert "no field, but the data or the version" in " ".join(few.split())
    assert "note: 2 seeds: no claim is judged before 5 seeds; --seeds 5\n" in few
    assert claims[0]["deviation"] is None
    assert "cannot be judged without crop\n" in alone
    assert waits(study, (0, 1), here / "runs")


def test_seeds_of_a_cell_that_was_renamed_count_towards_a_look(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(here / "runs", the_plan(written_study(here), seeds=(0, 1, 2, 3, 4)))
    renamed = written_study(here, STUDY.replace("crop+colour", "both"))

    few = called(capsys, "plan", renamed, "--seeds", "2", "--json").json

    assert few["notes"] == []
    assert not waits(renamed, (0, 1), here / "runs")


def test_a_look_needs_its_seeds_in_every_arm_of_the_claim(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(here / "runs", the_plan(written_study(here), seeds=(0, 1, 2, 3, 4)))
    edited = written_study(here, STUDY.replace("colour}]", "colour, strength: 0.5}]"))

    few = called(capsys, "plan", edited, "--seeds", "2").out

    assert "note: 2 seeds: no claim is judged before 5 seeds; --seeds 5\n" in few
    assert waits(edited, (0, 1), here / "runs")


def test_failed_trials_count_towards_no_look(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here)
    lost = {"state": "failed", "values": {}, "error": "x"}
    recorded(here / "runs", the_plan(study, seeds=(2, 3, 4)), crop=lost)

    few = called(capsys, "plan", study, "--seeds", "2").out

    assert "note: 2 seeds: no claim is judged before 5 seeds; --seeds 5\n" in few
    assert waits(study, (0, 1), here / "runs")


def test_of_several_claims_those_that_reach_no_look_are_named(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = STUDY.replace(
        "      crop+colour:", "      blur: [{kind: crop}, {kind: blur}]\n      crop+colour:"
    ).replace(
        "figures:",
        "  - {kind: beats, name: blur helps, better: blur, worse: crop, margin: 0, primary: true,\n"
        "     statement: It does.}\nfigures:",
    )
    recorded(here / "runs", the_plan(written_study(here, text), seeds=(0, 1, 2, 3, 4)))
    edited = written_study(here, text.replace("blur}]", "blur, probability: 0.9}]"))

    (near,) = called(capsys, "plan", edited, "--seeds", "2", "--json").json["notes"]
    (far,) = called(capsys, "plan", edited, "--seeds", "7,8", "--json").json["notes"]

    assert near == "2 seeds: claim 'blur helps' is not judged before 5 seeds; --seeds 5"
    assert far == (
        "seeds 7, 8: claim 'blur helps' is not judged, because the first look needs seeds 0 to 4 and "
        "0, 1, 2, 3, 4 would be missing; --seeds 5"
    )


def test_a_study_without_primary_claims_has_no_look_to_miss(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here, STUDY.replace("primary: true", "primary: false"))

    assert called(capsys, "plan", study, "--json").json["notes"] == []


def test_the_looks_are_those_of_the_study(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    looks = "looks: {seeds: [2, 4], shares: [0.5, 0.5]}\n"
    study = written_study(here, STUDY + looks)

    assert called(capsys, "plan", study, "--json").json["notes"] == []
    (note,) = called(capsys, "plan", study, "--seeds", "1", "--json").json["notes"]
    assert note == "1 seed: no claim is judged before 2 seeds; --seeds 2"


@pytest.mark.usefixtures("tracker")
def test_a_run_says_it_before_its_first_trial(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = written_study(here)
    said: list[str] = []

    def stopped(*_: Any) -> None:
        said.append(capsys.readouterr().out)
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "_settings", stopped)

    assert called(capsys, "run", study).code == 130
    assert "note: 2 seeds: no claim is judged before 5 seeds; --seeds 5\n" in said[0]


def test_smoke_refers_to_a_scale_that_is_judged(capsys: pytest.CaptureFixture[str]) -> None:
    (note, *_) = called(capsys, "plan", "quickstart", "--scale", "smoke", "--json").json["notes"]

    assert note.startswith(
        "2 seeds: no claim is judged before 5 seeds; this scale only checks that"
    )
    assert note.endswith("use --scale laptop for verdicts")


LEFT = """scales:
  laptop:
    only: [crop]
"""


def test_cells_that_the_scale_leaves_out_are_listed_with_what_runs_them(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here, STUDY.replace("scales:\n  laptop:\n", LEFT))

    out = called(capsys, "plan", study).out
    chosen = called(capsys, "plan", study, "--only", "crop+colour")

    place = STUDY.replace("scales:\n  laptop:\n", LEFT).splitlines().index("    only: [crop]") + 1
    assert (
        f"{study}:{place}: `only` leaves out 1 cell at this scale: crop+colour; use --only "
        "to run more cells"
    ) in out
    assert "`only` leaves out" not in chosen.out
    assert "--only leaves out 1 cell of this scale: crop\n" in chosen.out
    assert "leaves out" not in called(capsys, "plan", written_study(here)).out


@pytest.mark.usefixtures("tracker")
def test_a_run_with_nothing_to_do_lists_them_too(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = written_study(here, STUDY.replace("scales:\n  laptop:\n", LEFT))
    recorded(here / "runs", the_plan(study))

    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "evidence", stopped)

    said = called(capsys, "run", study)

    assert "nothing to run" in said.out
    assert "`only` leaves out 1 cell at this scale: crop+colour" in said.out


def test_a_plan_for_a_gpu_names_the_trials_whose_steps_are_no_graph_and_why(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    study = written_study(here)

    plain = called(capsys, "plan", study, "--device", "cuda", "--set", "precision=fp32")
    cached = called(capsys, "plan", study, "--device", "cuda", "--set", "gradient_cache=8")
    on_cpu = called(capsys, "plan", study, "--device", "cpu", "--set", "gradient_cache=8")

    sentence = (
        "trials run their steps kernel by kernel on the GPU, not as one graph: gradient_cache"
    )
    assert sentence in " ".join(cached.out.split())
    assert "kernel by kernel" not in plain.out + on_cpu.out


def test_the_plan_says_how_gpus_share_the_trials_of_the_slots_that_were_asked_for(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    study = written_study(here)
    timed = Machine(
        cpu="x", cores=8, device="cuda", torch="x", threads=1, slots=8, workers=4,
        memory_format="contiguous", rates=(), timed="",
    )  # fmt: skip
    recorded(Path("runs"), the_plan(study, device="cuda"))
    write_json(here / "runs/machine.json", timed.model_dump(mode="json"))
    cuda = ("plan", study, "--device", "cuda", "--again")

    usual, five = called(capsys, *cuda), called(capsys, *cuda, "--slots", "5")
    on_cpu = called(capsys, "plan", study, "--device", "cpu", "--slots", "5")

    assert "note: 8 at a time on 4 GPUs: 2 on each\n" in usual.out
    assert "note: 5 at a time on 4 GPUs: 2, 1, 1 and 1; --slots 8 loads all alike\n" in five.out
    assert ", 8 trials at a time (10 %: " in usual.out
    assert ", 5 trials at a time (10 %: " in five.out
    assert "mine.yaml --device cuda --slots 5 --again\n" in five.out
    assert "GPUs" not in on_cpu.out
