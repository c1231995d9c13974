"""The studies that come with the package: what they ask for, at each scale, against the paper."""

import re
from fractions import Fraction
from pathlib import Path
from typing import get_args

import pytest
from commands import called, the_plan
from PIL import Image

from ablations.compose.layering import of_files
from ablations.compose.mistakes import mistakes_of_files
from ablations.compose.planning import compose
from ablations.evidence.collect import evidence
from ablations.evidence.resolved import snapshot_of
from ablations.study.catalogue import PUBLISHED, read_study, shipped
from ablations.study.request import Request
from ablations.study.schema import SCALES, PublishedTable, ScaleName
from ablations.study.yaml_file import read_yaml
from reports.judging.verdict import Decision, verdicts
from reports.spec import Beats, Equivalent, RanksLike

CELLS = {
    "quickstart": (2, 3, 3, 3),
    "compositions": (3, 49, 49, 49),  # 7 single operations and 42 ordered pairs
    "projection-head": (3, 9, 17, 17),  # 15 bars of figure 8, and two depths
    "batch-size": (3, 5, 6, 6),  # figure 9 has six batch sizes
    "width": (3, 3, 3, 3),
    "losses": (3, 5, 5, 5),
    "head-layers": (4, 10, 10, 10),  # table 3's four targets and the classes, from h and from g(h)
    "temperature": (3, 6, 6, 6),
    "supervised": (2, 5, 5, 5),  # table 1's AutoAugment is left to its first row
    "colour-distortion": (4, 6, 6, 6),  # the columns of table 1
}

# As printed: rows first, columns second operation (section 3.1, figure 5).
FIGURE_5 = """
         crop  cutout colour sobel noise blur  rotation
crop     33.1  33.9   56.3   46.0  39.9  35.0  30.2
cutout   32.2  25.6   33.9   40.0  26.5  25.2  22.4
colour   55.8  35.5   18.8   21.0  11.4  16.5  20.8
sobel    46.2  40.6   20.9    4.0   9.3   6.2   4.2
noise    38.8  25.8    7.5    7.6   9.8   9.8   9.6
blur     35.1  25.2   16.6    5.8   9.7   2.6   6.7
rotation 30.0  22.5   20.7    4.3   9.7   6.5   2.6
"""

FIGURE_9_FIRST_COLUMN = {
    "256": 57.5,
    "512": 60.7,
    "1024": 62.8,
    "2048": 64.0,
    "4096": 64.6,
    "8192": 64.8,
}

FIGURE_7 = {"1x": 64.5, "2x": 69.7, "4x": 72.8}

TABLE_4 = {
    "margin": 50.9,
    "nt-logistic": 51.6,
    "margin semi-hard": 57.5,
    "nt-logistic semi-hard": 57.9,
    "nt-xent": 63.9,
}

TABLE_3 = {  # from h, from g(h)
    "colour or grey": (99.3, 97.4),
    "rotation": (67.6, 25.6),
    "noise": (99.5, 59.6),
    "sobel": (96.6, 56.3),
}

TABLE_5 = {  # l2 normalised or not, temperature
    ("normalised", 0.05): 59.7,
    ("normalised", 0.1): 64.4,
    ("normalised", 0.5): 60.7,
    ("normalised", 1): 58.0,
    ("as they are", 10): 57.2,
    ("as they are", 100): 57.0,
}

TABLE_1_SIMCLR = {  # as printed: strengths without blur, then with it, then AutoAugment
    "strength 1/8": 59.6,
    "strength 1/4": 61.0,
    "strength 1/2": 62.6,
    "strength 1": 63.2,
    "strength 1 with blur": 64.5,
    "AutoAugment": 61.1,
}

FIGURE_8 = {
    "none": [50.2],
    "linear": [60.0, 61.3, 61.1, 60.6, 60.6, 60.5, 60.6],
    "mlp": [63.6, 64.2, 64.3, 64.9, 64.8, 64.6, 64.8],
}


def numbers_of(study: str) -> dict[str, float]:
    published = read_study(study).published
    assert published is not None
    return published.values


def test_the_studies_are_those_that_the_product_is_for() -> None:
    assert set(shipped()) == set(CELLS)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("study", sorted(CELLS))
def test_every_study_plans_its_cells_five_seeds_each_with_floor_and_controls(
    study: str, scale: ScaleName
) -> None:
    plan = the_plan(study, scale=scale)

    arms = [cell.name for cell in plan.cells if cell.role == "arm"]
    trials = [trial for trial in plan.trials if trial.role == "arm"]
    seeds = 2 if scale == "smoke" else 5
    assert len(arms) == CELLS[study][SCALES.index(scale)]
    assert len(trials) == len({trial.key for trial in trials}) == seeds * len(arms)
    beside = [(t.cell, t.seed) for t in plan.trials if t.role in ("reference", "control")]
    raw = [("raw pixels", 0)]
    if study == "head-layers":  # one for each target, whatever layer the arms are read at
        raw = [(f"raw pixels ({name} / h)", 0) for name in ("classes", *TABLE_3)]
    wrong = [("shuffled positives", seed) for seed in (0, 1)]
    at_smoke = scale == "smoke"
    permuted = [("permuted labels", 0)]
    if study == "head-layers":  # one for each kind of probe
        permuted += [("permuted labels, probe mlp", 0)]
    assert sorted(beside) == sorted(permuted if at_smoke else [*raw, *permuted, *wrong])
    floors = {cell.floor for cell in plan.cells if cell.role == "arm"}
    assert floors == {cell.name for cell in plan.cells if cell.role == "floor"}
    expected = "data missing" if scale in ("gpu", "paper") else "missing"
    assert {trial.reason.partition(":")[0] for trial in plan.trials} == {expected}


@pytest.mark.parametrize("study", sorted(CELLS))
def test_every_study_is_right_in_all_its_levels_at_every_scale(study: str) -> None:
    written = read_study(study)

    files = of_files(written)
    assert [mistakes_of_files(written, s, files) for s in SCALES] == [[]] * len(SCALES)


@pytest.mark.parametrize("study", sorted(CELLS))
def test_every_study_has_one_to_three_primary_claims_a_source_and_a_figure(study: str) -> None:
    written = read_study(study).study

    assert 1 <= sum(claim.primary for claim in written.claims) <= 3
    assert written.source.startswith("section ")
    assert written.figures
    assert len(written.seeds) == 5


@pytest.mark.parametrize("study", sorted(CELLS))
def test_every_claim_of_the_paper_names_its_section(study: str) -> None:
    claims = read_study(study).study.claims

    own = {claim.name for claim in claims if not claim.source}
    assert own == ({"something is learned", "rotation hurts"} if study == "quickstart" else set())
    assert all(claim.source.startswith("section ") for claim in claims if claim.source)
    assert all(claim.statement for claim in claims)


@pytest.mark.parametrize(("study", "arm"), [("quickstart", "crop+colour"), ("width", "1x")])
def test_the_controls_go_with_the_arm_that_the_study_names_or_the_first(
    study: str, arm: str
) -> None:
    plan = the_plan(study)
    configs = {(t.cell, t.seed): t.config for t in plan.trials}
    floors = {cell.name: cell.floor for cell in plan.cells}

    for seed in (0, 1):
        shuffled = configs["shuffled positives", seed]
        assert shuffled == configs[arm, seed] | {"shuffled_positives": True}
    assert configs["permuted labels", 0]["views"] == configs[arm, 0]["views"]
    assert floors["shuffled positives"] == floors[arm]


def test_raw_pixels_are_one_cell_at_every_scale_but_smoke() -> None:
    sides = {
        scale: [t.config["encoder"] for t in the_plan("width", scale=scale).trials
                if t.role == "reference"]
        for scale in SCALES
    }  # fmt: skip

    assert sides == {
        "smoke": [],
        "laptop": [{"kind": "pixels", "side": 16}],
        "gpu": [{"kind": "pixels", "side": 32}],
        "paper": [{"kind": "pixels", "side": 32}],
    }


def test_scales_are_spelt_once() -> None:
    assert get_args(ScaleName) == SCALES


def test_the_paper_scale_is_the_papers_protocol() -> None:
    config = the_plan("compositions", scale="paper").trials[0].config

    assert (config["encoder"]["depth"], config["batch_size"], config["epochs"]) == (50, 4096, 100)
    assert config["optimizer"]["kind"] == "lars"
    assert config["loss"]["temperature"] == 0.1


@pytest.mark.parametrize("study", sorted(CELLS))
def test_at_paper_scale_classes_are_evaluated_as_appendix_b_6_does(study: str) -> None:
    trials = [t for t in the_plan(study, scale="paper").trials if t.role == "arm"]
    probes = [t.config["evaluation"] for t in trials]
    probes = [one["probe"] for one in probes if one["target"]["kind"] == "classes"]

    assert probes
    for probe in probes:
        assert (probe["kind"], probe["epochs"], probe["batch_size"]) == ("sgd", 90, 4096)
        assert probe["learning_rate"] * probe["batch_size"] / 256 == pytest.approx(1.6)


SMALL_IMAGES = [(study, scale) for study in sorted(CELLS) for scale in ("laptop", "gpu")]

ABOUT_COLOUR = ("colour-distortion", "supervised")
ABOUT_THE_LOSS = ("losses", "temperature", "supervised")
"""What a study varies is its own."""


@pytest.mark.parametrize(("study", "scale"), SMALL_IMAGES)
def test_small_images_are_learned_from_as_appendix_b_9_does(
    study: str, scale: ScaleName, tmp_path: Path
) -> None:
    # Half the colour strength, no blur but where a cell is about it, t = 0.5; CIFAR-10's own stem.
    for place in range(4):
        folder = tmp_path / "images" / "ab"[place % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (60 * place, 0, 0)).save(folder / f"{place}.png")
    images = {"data": tmp_path / "images"} if scale == "laptop" else {}

    arms = [t for t in the_plan(study, scale=scale, **images).trials if t.role == "arm"]

    for arm in arms:
        views, encoder = arm.config["views"], arm.config["encoder"]
        operations = views.get("operations", views.get("branch"))
        if study not in ABOUT_COLOUR:
            assert {o["strength"] for o in operations if o["kind"] == "colour"} <= {0.5}, arm.cell
            assert views["kind"] == "one_branch" or all(o["kind"] != "blur" for o in operations)
        if study not in ABOUT_THE_LOSS:
            assert arm.config["loss"]["temperature"] == 0.5
        assert encoder["stem"] == ("cifar" if scale == "gpu" else "small")


PRINTED = re.compile(r"(\d+(?:\.\d+)?) against (\d+(?:\.\d+)?)")
SIZE = re.compile(r"by (?:about |more than |less than )?(\d+(?:\.\d+)?) (?:points|%)")


@pytest.mark.parametrize("study", sorted(CELLS))
def test_a_statement_with_a_size_has_that_margin_and_numbers_are_those_of_its_cells(
    study: str,
) -> None:
    written = read_study(study)
    numbers = written.published.values if written.published else {}

    for claim in written.study.claims:
        if isinstance(claim, RanksLike):
            continue
        size = SIZE.search(claim.statement)
        assert claim.margin == (float(size[1]) if size else 0), claim.name
        if isinstance(claim, Beats) and (printed := PRINTED.search(claim.statement)):
            roles = written.study.roles_at("paper")
            pair = {numbers[str(roles[role])] for role in (claim.better, claim.worse)}
            assert {float(printed[1]), float(printed[2])} == pair, claim.name


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_the_margin_of_the_output_sizes_is_between_figure_8s_spread_and_its_least_effect(
    kind: str,
) -> None:
    written = read_study("projection-head")
    roles = {"linear": "linear heads", "mlp": "non-linear heads"}
    [claim] = [c for c in written.study.claims if roles[kind] in c.roles()]
    sizes = FIGURE_8[kind]
    gains = [mlp - linear for linear, mlp in zip(FIGURE_8["linear"], FIGURE_8["mlp"], strict=True)]

    assert isinstance(claim, Equivalent)
    assert max(sizes) - min(sizes) < claim.margin < min(gains)
    for scale in ("laptop", "gpu", "paper"):
        arms = [c.name for c in the_plan("projection-head", scale=scale).cells if c.role == "arm"]
        of_kind = [name for name in arms if name.startswith(kind) and "hidden" not in name]
        assert list(written.study.roles_at(scale)[roles[kind]]) == of_kind


def test_on_small_images_claims_are_of_the_cells_that_appendix_b_9_recommends() -> None:
    colour, temperature = (read_study(name).study for name in ("colour-distortion", "temperature"))

    for scale in ("laptop", "gpu"):
        roles = colour.roles_at(scale)
        assert roles["full strength"] == "strength 1/2"
        assert roles["strengths"] == ("strength 1/8", "strength 1/4", "strength 1/2")
        assert roles["with blur"] == ()
        assert temperature.roles_at(scale)["best"] == "normalised 0.5"
    assert colour.roles_at("paper")["full strength"] == "strength 1"
    assert temperature.roles_at("paper")["best"] == "normalised 0.1"


def test_a_claim_whose_role_is_empty_at_a_scale_is_not_judged_there() -> None:
    composed, store = compose(Request(study="colour-distortion"))
    found = {
        v.claim.name: v for v in verdicts(evidence(snapshot_of(composed), composed.request, store))
    }

    assert found["blur helps"].decision is Decision.NOT_JUDGED
    assert "with blur" in found["blur helps"].note
    others = {v.decision for name, v in found.items() if name != "blur helps"}
    assert Decision.NOT_JUDGED not in others


def test_the_compositions_are_figure_5s_diagonal_and_ordered_pairs() -> None:
    (_, header), *rows = [("", FIGURE_5.split("\n")[1].split())] + [
        (line.split()[0], line.split()[1:]) for line in FIGURE_5.strip().split("\n")[1:]
    ]
    printed = {
        first if first == second else f"{first}+{second}": float(number)
        for first, numbers in rows
        for second, number in zip(header, numbers, strict=True)
    }

    assert len(printed) == 49
    assert numbers_of("compositions") == printed
    arms = {
        cell.name for cell in the_plan("compositions", scale="paper").cells if cell.role == "arm"
    }
    assert arms == set(printed)


def test_the_numbers_of_figures_7_8_and_9_are_the_papers() -> None:
    assert numbers_of("batch-size") == FIGURE_9_FIRST_COLUMN
    assert numbers_of("width") == FIGURE_7
    heads = numbers_of("projection-head")
    found = {kind: [v for name, v in heads.items() if name.startswith(kind)] for kind in FIGURE_8}
    assert found == FIGURE_8


def test_the_supervised_numbers_are_table_1s_second_row_in_cells_that_say_labels() -> None:
    numbers = numbers_of("supervised")

    assert list(numbers.values()) == [77.0, 76.7, 76.5, 75.7, 75.4]
    assert all("(labels: train)" in name for name in numbers)
    for scale in SCALES:
        arms = [t.config for t in the_plan("supervised", scale=scale).trials if t.role == "arm"]
        assert {config["loss"]["kind"] for config in arms} == {"cross_entropy"}


def test_the_numbers_of_table_3_are_the_papers_and_each_target_is_in_its_views() -> None:
    assert numbers_of("head-layers") == {
        f"{name} / {layer}": number
        for name, both in TABLE_3.items()
        for layer, number in zip(("h", "g(h)"), both, strict=True)
    }
    for scale in SCALES:
        arms = [t for t in the_plan("head-layers", scale=scale).trials if t.role == "arm"]
        for arm in arms:
            evaluation, views = arm.config["evaluation"], arm.config["views"]["operations"]
            target = evaluation["target"]["kind"]
            beyond = {o["kind"]: o["probability"] for o in views[1:] if "probability" in o}
            beyond.pop("blur", None)
            shares = {"rotation": 0.75, "noise": 0.5, "sobel": 0.5}
            assert beyond == {kind: p for kind, p in shares.items() if kind == target}
            assert evaluation["layer"] == {"h": "h", "g(h)": "z"}[arm.cell.rpartition(" / ")[2]]
            kind = "mlp" if target != "classes" else "sgd" if scale == "paper" else "logistic"
            assert evaluation["probe"]["kind"] == kind
            if target == "noise":
                [noise] = [o for o in views if o["kind"] == "noise"]
                assert evaluation["target"]["deviation"] == noise["deviation"]
        # h and g(h) read one encoder; the classes and the colours, too.
        keys = {(arm.cell, arm.seed): arm.stages[0].key for arm in arms if arm.stages}
        for (cell, seed), key in keys.items():
            assert keys[cell.replace("g(h)", "h"), seed] == key
            if cell.startswith("colour"):
                assert keys["classes / h", seed] == key
    head = the_plan("head-layers", scale="paper").trials[0].config["head"]
    assert (head["output"], head["hidden"]) == (2048, None)


def test_the_numbers_of_tables_4_and_5_are_the_papers() -> None:
    assert numbers_of("losses") == TABLE_4
    assert numbers_of("temperature") == {f"{how} {t:g}": v for (how, t), v in TABLE_5.items()}
    losses = {
        trial.cell: trial.config["loss"]
        for trial in the_plan("losses", scale="paper").trials
        if trial.role == "arm"
    }
    assert {loss["negatives"] for loss in losses.values()} == {"one_view"}
    semi_hard = {name for name, loss in losses.items() if loss.get("semi_hard")}
    assert semi_hard == {name for name in TABLE_4 if "semi-hard" in name}


def test_the_cells_of_the_colour_study_are_the_columns_of_table_1() -> None:
    plan = the_plan("colour-distortion", scale="paper")

    assert numbers_of("colour-distortion") == TABLE_1_SIMCLR
    operations = {
        trial.cell: trial.config["views"]["operations"]
        for trial in plan.trials
        if trial.role == "arm"
    }
    assert operations.keys() == TABLE_1_SIMCLR.keys()
    for cell, (crop, *rest) in operations.items():
        assert (crop["kind"], crop["flip"]) == ("crop", 0.5)
        if cell == "AutoAugment":
            assert [one["kind"] for one in rest] == ["auto_augment"]
        else:
            expected = ["colour", "blur"] if "blur" in cell else ["colour"]
            assert [one["kind"] for one in rest] == expected
            strength = Fraction(cell.split()[1])
            assert rest[0]["strength"] == float(strength)


@pytest.mark.parametrize("path", sorted(PUBLISHED.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_table_says_where_its_numbers_stand(path: Path) -> None:
    table = PublishedTable.model_validate(read_yaml(path).content)

    assert table.name == path.stem
    assert path.stem.replace("-", " ") in table.source
    assert table.precision
    assert all(0 < value < 100 for value in table.values.values())


def test_the_batch_size_study_scales_its_learning_rate(capsys: pytest.CaptureFixture[str]) -> None:
    for scale in SCALES:
        plan = called(capsys, "plan", "batch-size", "--scale", scale, "--json").json
        scalings = {trial["config"]["optimizer"]["scaling"] for trial in plan["trials"]}
        assert scalings == {"linear"}


@pytest.mark.parametrize("study", sorted(CELLS))
def test_what_show_prints_is_a_study_with_the_same_trials(
    study: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = called(capsys, "show", study)
    (tmp_path / "copy.yaml").write_text(said.out, encoding="utf-8")

    keys = {trial.key for trial in the_plan("copy.yaml", scale="smoke").trials}

    assert keys == {trial.key for trial in the_plan(study, scale="smoke").trials}


def test_list_names_every_study_with_its_question(capsys: pytest.CaptureFixture[str]) -> None:
    said = called(capsys, "list")
    listed = called(capsys, "list", "--json").json["studies"]

    assert said.code == 0
    assert [study["name"] for study in listed] == shipped()
    assert all(study["name"] in said.out for study in listed)
    assert "3/49/49/49" in said.out
