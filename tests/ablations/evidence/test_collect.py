"""From records to the evidence of a report: deviations, commands, what else is on record."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from commands import STUDY, called, record_of, recorded, the_plan, written_study
from PIL import Image

from ablations.commands import run as running
from ablations.compose.planning import compose
from ablations.evidence.collect import evidence
from ablations.evidence.resolved import data_name, snapshot_of
from ablations.study.assignments import Setting
from ablations.study.request import Request
from reports.judging.decisions import Decision
from reports.judging.negative_controls import Control, controls
from reports.judging.trial_outcomes import outcomes, table
from reports.judging.verdict import verdicts
from reports.spec.evidence import Evidence
from sweeps.execution.trial_runner import TrialResult
from sweeps.planning.trial_plan import Trial
from sweeps.storage.store import Store


def told_of(study: Path | str, **request: Any) -> Evidence:
    composed, store = compose(Request(study=str(study), **request))
    return evidence(snapshot_of(composed), composed.request, store)


def controls_of(told: Evidence) -> tuple[Control, ...]:
    found = outcomes(told)
    return controls(found, table(found), told)


def test_deviations_are_derived_from_the_same_cell_at_paper_scale() -> None:
    told = told_of("compositions")

    crop = next(cell for cell in told.cells if cell.name == "crop")
    found = {one.field: (one.here, one.paper) for one in crop.deviations}
    assert found["epochs"] == ("10", "100")
    assert found["batch_size"] == ("256", "4096")
    assert found["optimizer.kind"] == ("adamw", "lars")
    assert found["data.kind"] == ("textures", "folder")
    # What only one of two kinds has comes with the kind, and is not told again.
    assert not {"optimizer.trust", "optimizer.betas", "data.version"} & set(found)
    assert "no such field" not in {text for pair in found.values() for text in pair}
    assert not {field for field in found if field.startswith(("seed", "views.branch"))}
    colour = next(cell for cell in told.cells if cell.name == "crop+colour")
    inside = [one for one in colour.deviations if one.field.startswith("views.branch")]
    assert [(one.field, one.here, one.paper) for one in inside] == [
        ("views.branch.colour.strength", "0.5", "1.0")
    ]


def test_at_paper_scale_a_study_that_leaves_nothing_open_does_not_deviate() -> None:
    told = told_of("width", scale="paper")

    assert {cell.deviations for cell in told.cells} == {()}


@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu"])
def test_another_probe_than_the_papers_is_one_deviation(scale: str) -> None:
    [fields] = {
        tuple(one.field for one in cell.deviations if one.field.startswith("evaluation"))
        for cell in told_of("width", scale=scale).cells
        if cell.role == "arm"
    }
    floors = {
        one.field
        for cell in told_of("width", scale=scale).cells
        for one in cell.deviations
        if cell.role != "arm" and one.field.startswith("evaluation")
    }

    assert fields == ("evaluation.probe",)
    # A claim against the random encoder names the probe once, by its arm.
    assert floors <= {"evaluation.permuted_labels"}


def test_losses_that_were_not_tuned_or_chose_the_edge_of_their_range_say_so() -> None:
    fields = {
        scale: {
            cell.name: [one.field for one in cell.deviations if "tuning" in one.field]
            for cell in told_of("losses", scale=scale).cells
            if cell.role == "arm"
        }
        for scale in ("laptop", "gpu", "paper")
    }

    both = ["tuning", "tuning range"]
    for cell in ("margin", "nt-logistic", "nt-xent"):
        assert [found[cell] for found in fields.values()] == [["tuning"]] * 3
    for cell in ("margin semi-hard", "nt-logistic semi-hard"):
        assert [found[cell] for found in fields.values()] == [both, ["tuning"], ["tuning"]]


def test_a_deviation_that_a_study_declares_is_of_the_cells_that_it_names(here: Path) -> None:
    declared = (
        "  paper:\n    deviations:\n"
        "      - {field: rate, here: guessed, paper: tuned, cells: [crop]}\n"
        "      - {field: light, here: dim, paper: bright}\n"
    )
    study = written_study(here, STUDY.replace("scales:\n", f"scales:\n{declared}"))

    found = {c.name: [d.field for d in c.deviations] for c in told_of(study, scale="paper").cells}

    assert found["crop"][-2:] == ["rate", "light"]
    assert found["crop+colour"][-1] == "light"
    assert "rate" not in found["crop+colour"]
    assert found["random encoder"] == []


def with_probe(here: Path, probe: str) -> dict[str, tuple[str, str]]:
    """The deviations at paper scale of a study with this probe, by field."""
    text = STUDY.replace("base:\n", f"base:\n  evaluation.probe: {probe}\n")
    told = told_of(written_study(here, text), scale="paper")
    arms = [cell for cell in told.cells if cell.role == "arm"]
    return {one.field: (one.here, one.paper) for cell in arms for one in cell.deviations}


def test_with_the_papers_own_probe_no_probe_deviates(here: Path) -> None:
    assert with_probe(here, "{kind: sgd}") == {}


@pytest.mark.parametrize(
    ("probe", "field", "told"),
    [
        ("{kind: sgd, epochs: 30}", "evaluation.probe.epochs", ("30", "90")),
        ("{kind: sgd, crop: {flip: 0}}", "evaluation.probe.crop.flip", ("0.0", "0.5")),
        ("{kind: sgd, crop: null}", "evaluation.probe.crop", ("not set", "no such field")),
        ("{kind: ridge}", "evaluation.probe", ("least squares on features", "SGD for 90 epochs")),
    ],
)
def test_a_probe_that_is_not_the_papers_is_told_at_each_scale(
    here: Path, probe: str, field: str, told: tuple[str, str]
) -> None:
    found = with_probe(here, probe)

    assert list(found) == [field]
    assert all(text.startswith(start) for text, start in zip(found[field], told, strict=True))


def test_a_cell_without_a_probe_is_told_too(here: Path) -> None:
    axis = "    field: views.operations\n    levels:\n"
    text = STUDY[: STUDY.index(axis)] + (
        "    field: evaluation.probe\n    levels: {with: {kind: sgd}, without: null}\n"
        "metric: knn_top1\n"
    )
    cells = {cell.name: cell for cell in told_of(written_study(here, text), scale="paper").cells}

    assert cells["with"].deviations == ()
    assert [(one.field, one.here) for one in cells["without"].deviations] == [
        ("evaluation.probe", "none")
    ]


def test_a_study_that_chooses_settings_names_a_validation_value_and_says_that_it_deviates(
    here: Path,
) -> None:
    text = STUDY.replace("base:\n", "base:\n  evaluation.split: validation\n")
    study = written_study(here, text + "metric: validation_top1\n")
    plan = the_plan(study)
    recorded(here / "runs", plan, crop={"values": {"validation_top1": 41.5}})

    told = told_of(study, store=here / "runs")

    found = [outcome for outcome in outcomes(told) if outcome.cell.name == "crop"]
    assert {outcome.value for outcome in found} == {41.5}
    arms = [cell for cell in told.cells if cell.role == "arm"]
    deviations = [{one.field: one.here for one in cell.deviations} for cell in arms]
    assert all(
        "without reading the test split" in found["evaluation.split"] for found in deviations
    )


def test_what_supervised_cells_do_otherwise_is_told_at_paper_scale() -> None:
    told = told_of("supervised", scale="paper")

    arms = [cell for cell in told.cells if cell.role == "arm"]
    assert len(arms) == 5
    for arm in arms:
        fields = {deviation.field for deviation in arm.deviations}
        assert {"loss.labels", "views", "evaluation", "optimizer"} <= fields, arm.name
        assert "evaluation.probe" not in fields
        # model_util.add_weight_decay of the official code decays head_supervised under LARS, too.
        [classifier] = [one for one in arm.deviations if one.field == "optimizer"]
        assert "does not adapt" in classifier.paper
        assert "decays" in classifier.paper


def test_parameters_that_the_paper_does_not_give_are_named_at_each_scale() -> None:
    cells = {cell.name: cell for cell in told_of("compositions", scale="paper").cells}

    fields = {one.field for one in cells["cutout+noise"].deviations}
    assert fields == {"parameters of cutout", "parameters of noise", "views.base.flip"}
    fields = {one.field for one in cells["crop+colour"].deviations}
    assert fields == {"views.base.flip"}


def test_what_the_paper_does_not_say_of_its_broader_operations_is_named(tmp_path: Path) -> None:
    # Appendix B.2 adds these to the default and publishes no parameters.
    kinds = ("crop", "colour", "solarise", "equalise", "motion_blur")
    broader = json.dumps([{"kind": kind} for kind in kinds])
    text = STUDY.replace("crop+colour: [{kind: crop}, {kind: colour}]", f"crop+colour: {broader}")
    cells = {cell.name: cell for cell in told_of(written_study(tmp_path, text)).cells}

    assert {
        one.field: one.paper
        for one in cells["crop+colour"].deviations
        if one.field.startswith("parameters of")
    } == dict.fromkeys(
        ("parameters of solarise", "parameters of equalise", "parameters of motion blur"),
        "not published",
    )


def test_whose_magnitudes_autoaugment_has_is_named_at_paper_scale() -> None:
    cells = {cell.name: cell for cell in told_of("colour-distortion", scale="paper").cells}

    found = {one.field: one for one in cells["AutoAugment"].deviations}
    assert found.keys() == {"parameters of AutoAugment"}
    assert "torchvision" in found["parameters of AutoAugment"].here
    assert cells["strength 1/8"].deviations == ()


def test_images_under_the_papers_name_are_not_taken_for_its_own(tmp_path: Path) -> None:
    images = str(tmp_path)
    for place, colour in enumerate(("red", "lime", "blue", "white")):
        folder = tmp_path / "ab"[place % 2]
        folder.mkdir(exist_ok=True)
        Image.new("RGB", (40, 40), colour).save(folder / f"{place}.png")

    told = told_of("width", scale="paper", set=(Setting("data.path", images, "--set"),))

    found = {one.field: one for one in told.cells[0].deviations}
    assert found["data.path"].here == images
    assert "not checked" in found["data.path"].paper


def test_the_paper_has_no_number_for_cells_that_only_look_like_its_own() -> None:
    told = told_of("quickstart")

    numbers = {cell.name: cell.published for cell in told.cells if cell.role == "arm"}
    assert numbers == {"crop": None, "crop+colour": 63.2, "crop+colour+rotation": None}
    assert "both branches" in told.published_about


def test_a_cell_that_the_paper_does_not_have_says_so() -> None:
    told = told_of("batch-size")

    small = next(cell for cell in told.cells if cell.name == "32")
    assert small.deviations[0].paper == "not used in the paper"


def test_textures_are_synthetic_data_and_real_images_are_not(here: Path) -> None:
    assert told_of("quickstart").synthetic_data
    assert not told_of("quickstart", scale="paper").synthetic_data
    assert here.exists()


def test_every_arm_has_the_papers_number_and_its_random_encoder() -> None:
    told = told_of("projection-head")

    arms = {cell.name: cell for cell in told.cells if cell.role == "arm"}
    assert arms["none"].published == 50.2
    assert arms["mlp 64 3-hidden"].published is None
    assert {cell.floor for cell in arms.values()} == {"random encoder"}


@pytest.mark.parametrize(
    "request_",
    [
        *(
            pytest.param(one, marks=pytest.mark.proof)
            for one in ({}, {"seeds": (7,)}, {"only": ("crop+colour",)})
        ),
        {"only": ("crop+colour",), "seeds": (1, 7)},
    ],
)
def test_the_command_behind_a_number_runs_that_very_trial(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    request_: dict[str, Any],
) -> None:
    study = written_study(here, name="a study.yaml")
    told = told_of(study, store=Path("my runs"), **request_)
    chosen: list[str] = []

    def run_here(trial: Trial, *_: Any, **__: Any) -> TrialResult:
        chosen.append(trial.key)
        return TrialResult(trial.key, "failed", "not run here", 1)

    monkeypatch.setattr("sweeps.execution.run_here", run_here)
    monkeypatch.setattr(running, "_settings", lambda *_: None)
    for planned in told.planned:
        program, *words = shlex.split(planned.command)
        assert program == "ablate"
        assert called(capsys, *words).code == 1

    assert chosen == [planned.key for planned in told.planned]
    assert len(chosen) == len(set(chosen))


def test_seeds_and_cells_on_record_count_beside_those_asked_for(here: Path) -> None:
    study = written_study(here)
    recorded(Path("runs"), the_plan(study, seeds=(0, 1, 2)))

    told = told_of(study, only=("crop",), seeds=(0,))

    arms = {(trial.cell, trial.seed) for trial in told.planned if trial.cell.startswith("crop")}
    assert arms == {(cell, seed) for cell in ("crop", "crop+colour") for seed in (0, 1, 2)}
    assert len(told.records) == len({record.key for record in told.records}) == len(told.planned)


def test_records_of_another_configuration_do_not_count(here: Path) -> None:
    study = written_study(here)
    recorded(Path("runs"), the_plan(study, seeds=(0,)))

    text = study.read_text().replace("epochs: 1", "epochs: 2")
    study.write_text(text)
    told = told_of(study, seeds=(0,))

    # The random encoder and raw pixels have no epochs: their records still stand.
    assert {record.cell for record in told.records} == {"random encoder", "raw pixels"}


def test_an_earlier_attempt_is_listed_beside_the_later(here: Path) -> None:
    study = written_study(here)
    plan = the_plan(study)
    recorded(Path("runs"), plan)
    store = Store("runs")
    store.commit(record_of(plan.trials[0], plan, values={"top1": 99.0}), store.running / "log")

    told = told_of(study)

    attempts = [record for record in told.records if record.key == plan.trials[0].key]
    assert [record.attempt for record in attempts] == [1, 2]
    assert [record.values["top1"] for record in attempts] == [50.0, 99.0]


def test_an_excluded_cell_is_listed_with_its_reason_and_its_records_count_nowhere(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written_study(here)
    recorded(Path("runs"), the_plan(file))
    file.write_text(STUDY + "exclude: [{where: {views: crop}, reason: it diverges}]\n")

    told = told_of(file)
    [verdict] = verdicts(told)

    [out] = told.excluded
    assert (out.name, out.reason, out.records) == ("crop", "it diverges", 2)
    assert {record.cell for record in told.records if record.role == "arm"} == {"crop+colour"}
    assert verdict.decision is Decision.INCONCLUSIVE
    assert "crop (it diverges)" in verdict.note
    plan = called(capsys, "plan", file, "--store", "runs")
    assert "excluded: it diverges" in plan.out
    assert called(capsys, "plan", file, "--json").json["excluded"] == {"crop": "it diverges"}
    refused = called(capsys, "plan", file, "--only", "crop")
    assert refused.code == 2
    assert "--only: cell 'crop' is excluded: it diverges" in refused.err


def test_a_selection_by_level_is_that_of_its_cells(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written_study(here)

    by_level = called(capsys, "plan", file, "--only", "views=crop", "--json").json
    by_name = called(capsys, "plan", file, "--only", "crop", "--json").json
    wrong = called(capsys, "plan", file, "--only", "views=corp")

    assert by_level["trials"] == by_name["trials"]
    assert "--only: axis 'views' has no level 'corp'; did you mean 'crop'" in wrong.err
    recorded(Path("runs"), the_plan(file))
    told = told_of(file, only=("views=crop",))
    assert {cell.name for cell in told.cells if cell.role == "arm"} == {"crop", "crop+colour"}


def test_data_have_a_name_for_readers() -> None:
    assert data_name({"kind": "cifar10", "num_images": None}) == "CIFAR-10"
    assert data_name({"kind": "folder", "name": "Bilder", "num_images": 9}) == "Bilder (9 images)"
    assert data_name({"kind": "folder", "name": None, "path": "/my/flowers"}) == "flowers"
    assert data_name({"kind": "folder", "name": None, "path": None}) == "folder"
    assert data_name({"kind": "textures", "num_images": 5}) == "textures (synthetic, 5 images)"


def test_a_control_that_failed_beside_other_seeds_or_cells_still_withholds(here: Path) -> None:
    study = written_study(here)
    bad = {"values": {"permuted/mean": 60.0, "permuted/standard_error": 1.0,
                      "permuted/largest_class_share": 10.0}}  # fmt: skip
    good = {"values": {**bad["values"], "permuted/mean": 10.0}}
    recorded(Path("runs"), the_plan(study), **{"permuted labels": bad})
    recorded(Path("runs"), the_plan(study, seeds=(7,)), **{"permuted labels": good})
    recorded(Path("runs"), the_plan(study, only=("crop+colour",)), **{"permuted labels": good})

    for request in ({}, {"seeds": (7,)}, {"only": ("crop+colour",)}):
        told = told_of(study, **request)
        state = next(c for c in controls_of(told) if c.name == "permuted labels").state
        assert state == "failed", request


def test_a_control_on_record_serves_other_seeds_and_cells_too(here: Path) -> None:
    study = written_study(here)
    good = {"values": {"permuted/mean": 10.0, "permuted/standard_error": 1.0,
                       "permuted/largest_class_share": 10.0}}  # fmt: skip
    recorded(Path("runs"), the_plan(study), **{"permuted labels": good})

    for request in ({"seeds": (7,)}, {"only": ("crop+colour",)}):
        told = told_of(study, **request)
        state = next(c for c in controls_of(told) if c.name == "permuted labels").state
        assert state == "passed", request


SHUFFLED = "shuffled positives"


def test_shuffled_positives_that_learnt_beside_other_seeds_or_cells_still_withhold(
    here: Path,
) -> None:
    # Arms give 50 % plus their seed, the random encoder 48 %, the shuffled pairs 95 %.
    study = written_study(here)
    values = {SHUFFLED: 95.0, "random encoder": 48.0}
    told = {cell: {"values": {"top1": value}} for cell, value in values.items()}
    recorded(Path("runs"), the_plan(study, seeds=(0, 1, 2, 3, 4)), **told)

    for request in ({}, {"seeds": (7, 8)}, {"only": ("crop+colour",)}):
        told = told_of(study, **request)
        found = next(c for c in controls_of(told) if c.name == SHUFFLED)
        assert found.state == "failed", (request, found.detail)


def test_shuffled_positives_of_another_training_do_not_count(here: Path) -> None:
    study = written_study(here)
    other = the_plan(study, set=(Setting("loss.temperature", 0.3, "--set"),))
    recorded(Path("runs"), other, **{SHUFFLED: {"values": {"top1": 95.0}}})
    recorded(Path("runs"), the_plan(study, seeds=(0, 1)))

    found = next(c for c in controls_of(told_of(study)) if c.name == SHUFFLED)

    assert found.state == "passed", found.detail


def test_raw_pixels_stand_in_the_evidence_once(here: Path) -> None:
    study = written_study(here)
    recorded(Path("runs"), the_plan(study, seeds=(0, 1, 2)))

    for seeds in ((0,), (2,), (7,)):
        told = told_of(study, seeds=seeds)
        (raw,) = [trial for trial in told.planned if trial.cell == "raw pixels"]
        assert raw.reason == "finished"
        assert sum(record.key == raw.key for record in told.records) == 1
    (cell,) = [cell for cell in told.cells if cell.role == "reference"]
    assert (cell.name, cell.floor) == ("raw pixels", None)


@pytest.mark.usefixtures("here")
def test_what_was_not_asked_for_stays_in_the_family_of_claims() -> None:
    told = told_of("quickstart", only=("crop", "crop+colour"))
    smoke = told_of("quickstart", scale="smoke")

    verdict = next(v for v in verdicts(told) if v.claim.name == "rotation hurts")
    assert verdict.words == "0 seeds, next look at 5"
    verdict = next(v for v in verdicts(smoke) if v.claim.name == "rotation hurts")
    assert verdict.words == "not judged at this scale"


def test_what_is_asked_for_moves_no_level_at_which_a_claim_is_judged(here: Path) -> None:
    requested = {"only": ("crop", "crop+colour"), "seeds": (0, 1, 2, 3, 4)}
    recorded(here / "runs", the_plan("quickstart", **requested))

    some, everything = (
        {verdict.claim.name: verdict.estimate for verdict in verdicts(told) if verdict.look}
        for told in (
            told_of("quickstart", **requested),
            told_of("quickstart", seeds=requested["seeds"]),
        )
    )

    assert len(some) >= 1
    assert len([claim for claim in told_of("quickstart").claims if claim.primary]) >= 2
    assert some == everything


def test_a_cell_that_cannot_be_at_paper_scale_is_told_with_its_own_fields(here: Path) -> None:
    text = STUDY.replace(
        "schedule: {kind: constant}", "schedule: {kind: warmup_cosine, warmup_epochs: 0}"
    )
    text = text.replace("field: views.operations", "field: epochs")
    text = text.replace("crop: [{kind: crop}]", "one: 1")
    text = text.replace("crop+colour: [{kind: crop}, {kind: colour}]", "two: 2")
    text = text.replace("{with: crop+colour, without: crop}", "{with: two, without: one}")
    study = written_study(here, text)

    told = told_of(study)

    one = next(cell for cell in told.cells if cell.name == "one")
    assert "schedule.warmup_epochs" in {deviation.field for deviation in one.deviations}


def test_a_halved_strength_is_named_where_the_blur_is_gone_as_well() -> None:
    cells = {cell.name: cell for cell in told_of("width", scale="gpu").cells}

    found = {one.field: (one.here, one.paper) for one in cells["1x"].deviations}
    assert found["views.operations"] == ("crop, colour", "crop, colour, blur")
    assert found["views.operations.colour.strength"] == ("0.5", "1.0")
    assert not any(field.startswith("views.operations.blur") for field in found)
    assert not any(field.startswith("views.operations.crop") for field in found)


def test_a_supervised_encoders_head_and_target_are_told_as_they_are_read() -> None:
    from ablations.study.assignments import Setting

    # The SGD probe, which this scale has, is of classes only.
    values = {
        "evaluation.layer": "z",
        "evaluation.target": {"kind": "noise"},
        "evaluation.probe": {"kind": "logistic"},
    }
    read = tuple(Setting(field, value, "--set") for field, value in values.items())
    told = told_of("supervised", scale="paper", set=read)

    arm = next(cell for cell in told.cells if cell.role == "arm")
    found = {one.field: one.here for one in arm.deviations}
    assert found["evaluation"] == "a probe on z, as for all other encoders"
    assert {"evaluation.layer", "evaluation.target", "evaluation.probe"} <= found.keys()


def test_the_steps_that_the_official_code_takes_stand_beside_ours_in_the_methods() -> None:
    # By hand from the official code: 1,281,167 images, batch 4096, 100 epochs, 10 of warm-up.
    [steps] = [
        one for one in told_of("width", scale="paper").methods if one.name == "optimiser steps"
    ]

    assert steps.text.startswith("31,200, of which 3,120 are warm-up")
    assert steps.text.endswith("31,279 and 3,127")
    names = {one.name for one in told_of("quickstart").methods}
    assert ("optimiser steps" in names) is (
        the_plan("quickstart").trials[0].config["schedule"]["kind"] == "warmup_cosine"
    )
