"""The options: what each means, where its default comes from, and what it says when it is wrong."""

import errno
import io
import json
import shlex
import sys
import tomllib
from pathlib import Path

import pytest
from commands import STUDY, Said, called, record_of, recorded, the_plan, written_study

from ablations.commands.options import keep_of
from ablations.commands.output import console
from ablations.compose.disk import FILES
from ablations.errors import UsageError
from ablations.study.assignments import Setting
from ablations.study.request import parse_seeds, seeds_text
from sweeps.storage.store import Store

ROOT = Path(__file__).resolve().parents[3]


def seeds_of(said: Said) -> set[int]:
    return {trial["seed"] for trial in said.json["trials"] if trial["role"] == "arm"}


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("5", (0, 1, 2, 3, 4)),
        ("1", (0,)),
        ("7,8", (7, 8)),
        ("7,", (7,)),
        ("0,", (0,)),
        (" 3 , 1 ", (3, 1)),
    ],
)
def test_seeds_are_a_count_or_names(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds
    assert parse_seeds(seeds_text(seeds)) == seeds


@pytest.mark.parametrize(
    "text", ["", "x", "1.5", "-1", "0", "7,7", ",", "7,,8", "10001", "2147483648,"]
)
def test_seeds_that_are_none_are_refused_with_the_forms(text: str) -> None:
    with pytest.raises(UsageError, match="--seeds: ") as caught:
        parse_seeds(text)

    assert len(caught.value.sentences) == 1


def test_seeds_on_the_command_line_replace_the_studys(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here)

    assert seeds_of(called(capsys, "plan", study, "--json")) == {0, 1}
    assert seeds_of(called(capsys, "plan", study, "--json", "--seeds", "7,")) == {7}


def test_plan_json_holds_every_trial_with_all_that_it_is(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = called(capsys, "plan", written_study(here), "--json")

    trials = said.json["trials"]
    assert said.code == 0
    assert {(t["cell"], t["seed"]) for t in trials} >= {("crop", 0), ("crop+colour", 1)}
    for trial in trials:
        assert set(trial) >= {"key", "cell", "seed", "config", "reason"}
        assert trial["config"]["seed"] == trial["seed"]
        assert trial["reason"] == "missing"
        assert len(trial["key"]) == 16
    assert len({trial["key"] for trial in trials}) == len(trials)


def test_planning_writes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = written_study(here)

    called(capsys, "plan", study)

    assert [path.name for path in here.iterdir()] == ["mine.yaml"]


def test_without_a_scale_it_is_laptop(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(capsys, "plan", written_study(here), "--json").json["scale"] == "laptop"


def test_only_keeps_the_named_cells_with_their_floor_and_control(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = called(capsys, "plan", written_study(here), "--json", "--only", "crop+colour")

    by_role = {t["role"]: t["cell"] for t in said.json["trials"]}
    assert by_role["arm"] == "crop+colour"
    assert set(by_role) == {"arm", "floor", "reference", "control"}


def test_set_reaches_every_cell_and_later_ones_win(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = called(
        capsys,
        *("plan", written_study(here), "--json", "--set", "epochs=3", "--set", "epochs=2"),
        *("--set", "loss.temperature=0.25"),
    )

    arms = [t["config"] for t in said.json["trials"] if t["role"] == "arm"]
    assert {config["epochs"] for config in arms} == {2}
    assert {config["loss"]["temperature"] for config in arms} == {0.25}


def test_defaults_come_from_ablate_toml_and_options_win(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here)
    (here / "ablate.toml").write_text('seeds = "3,4"\nstore = "elsewhere"\n[set]\nepochs = 7\n')

    by_file = called(capsys, "plan", study, "--json")
    by_option = called(capsys, "plan", study, "--json", "--seeds", "1")

    assert seeds_of(by_file) == {3, 4}
    assert {t["config"]["epochs"] for t in by_file.json["trials"]} == {7, 0}
    assert seeds_of(by_option) == {0}
    beside = called(capsys, "plan", study, "--json", "--set", "batch_size=16")
    over = called(capsys, "plan", study, "--json", "--set", "epochs=3")
    arms = [t["config"] for t in beside.json["trials"] if t["role"] == "arm"]
    assert {(config["epochs"], config["batch_size"]) for config in arms} == {(7, 16)}
    assert {t["config"]["epochs"] for t in over.json["trials"]} == {3, 0}
    assert "elsewhere" in called(capsys, "status").err


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('sede = "3"\n', "ablate.toml: sede: no such option; did you mean 'seeds'?"),
        ("set = 3\n", "ablate.toml: set: must be a table of fields, got 3"),
        ("store = [1]\n", "ablate.toml: store: must be a string, got [1]; put it in quotes"),
        ("store = \n", "ablate.toml is not valid TOML"),
    ],
)
def test_a_wrong_ablate_toml_is_told_before_anything_else(
    here: Path, capsys: pytest.CaptureFixture[str], text: str, sentence: str
) -> None:
    (here / "ablate.toml").write_text(text)

    said = called(capsys, "list")

    assert said.code == 2
    assert sentence in said.err


def test_a_wrong_word_is_told_the_right_ones_once() -> None:
    with pytest.raises(UsageError) as caught:
        keep_of("maybe")

    assert caught.value.sentences == ("--keep: must be one of none, last, got 'maybe'",)


def test_the_plan_tells_the_disk_and_keep_none_spares_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here)
    kept, spared = (
        called(capsys, "plan", study, "--json", "--keep", keep).json for keep in ("last", "none")
    )

    config = the_plan(study).trials[0].config
    from simclr_core.networks.encoders import ResNet
    from simclr_core.networks.heads import MlpHead

    encoder = ResNet.model_validate(config["encoder"])
    head = MlpHead.model_validate(config["head"]).build(encoder.num_features, 0)
    f, g = (
        sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
        for network in (encoder.build(0), head)
    )
    # Two arms, the random encoder and the shuffled pairs, two seeds each, of which the random one
    # keeps no head; raw pixels weigh nothing.
    assert kept["encoders"] == 6
    assert kept["disk"]["weights"] == 8 * f + 6 * g + 9 * FILES
    assert spared["disk"]["weights"] == 0
    assert kept["disk"]["records"] == spared["disk"]["records"] > 0
    shown = called(capsys, "plan", study).out
    assert "for the encoders' weights (none with --keep none)" in shown
    assert "10 of 10 trials to run, 6 encoders to train" in shown
    assert "\npre-training: 6 encoders, " in shown


def test_the_plan_tells_how_long_once_trials_have_finished(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here)
    before = called(capsys, "plan", study)
    plan = the_plan(study)
    store = recorded(Path("runs"), plan, **{"crop+colour": None})

    after = called(capsys, "plan", study)

    assert "time: unknown until a trial has finished on this machine" in before.out
    assert "time: about 2 min (10 %: " in after.out  # two trials of 60 s, one at a time
    assert "2 of 10 trials to run" in after.out
    assert store.path == here / "runs"


def test_every_reason_is_in_the_plan(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = written_study(here)
    plan = the_plan(study)
    arms = [trial for trial in plan.trials if trial.role == "arm"]
    store = Store("runs")
    store.prepare()
    finished, failed, changed, half = arms
    log = store.running / "log"
    store.commit(record_of(finished, plan), log)
    error = {"state": "failed", "values": {}, "error": "Diverged: the loss is nan"}
    store.commit(record_of(failed, plan, **error), log)
    other = {"config": {**changed.config, "epochs": 9}, "key": "0" * 16}
    store.commit(record_of(changed, plan, **other), log)
    stage = half.stages[0]
    with store.save_artifact(stage.name, stage.key, launch="x", lasting=True):
        pass

    reasons = {t.key: t.reason for t in the_plan(study, store=Path("runs")).trials}
    again = the_plan(study, store=Path("runs"), again=True)
    once_more = the_plan(study, store=Path("runs"), failed=True)

    assert reasons[finished.key] == "finished"
    assert reasons[failed.key] == "failed: Diverged: the loss is nan"
    assert reasons[changed.key] == "configuration changed: epochs"
    assert reasons[half.key] == "evaluation missing"
    assert "missing" in reasons.values()
    assert {t.todo for t in again.trials if t.key == finished.key} == {True}
    assert {t.todo for t in once_more.trials if t.key == failed.key} == {True}
    assert "to run failed trials again, add --failed" in called(capsys, "plan", study).out


def test_gpu_and_paper_plan_as_data_missing_with_the_way_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    gpu = called(capsys, "plan", "quickstart", "--scale", "gpu")
    paper = called(capsys, "plan", "quickstart", "--scale", "paper", "--json")

    assert gpu.code == paper.code == 0
    assert "CIFAR-10 is not available" in gpu.out
    assert "--data" in gpu.out
    assert all(t["reason"].startswith("data missing: ImageNet") for t in paper.json["trials"])
    assert {t["todo"] for t in paper.json["trials"]} == {False}


def test_running_without_its_data_is_wrong_input_and_makes_no_store(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = called(capsys, "run", "quickstart", "--scale", "paper")

    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "--data" in said.err
    assert list(here.iterdir()) == []


def test_the_words_of_a_request_ask_for_the_same_again(here: Path) -> None:
    from ablations.study.request import Request

    request = Request(
        study=str(written_study(here, name="a study.yaml")),
        only=("crop",),
        seeds=(7,),
        set=(Setting("data.name", "Müll & Co", "--set"),),
        store=Path("my runs"),
        scale="smoke",
        recompute=True,
    )

    words = request.words()

    import shlex

    assert shlex.split(words) == [
        *(request.study, "--scale", "smoke", "--only", "crop"),
        *("--set", f"data.name={json.dumps('Müll & Co')}", "--seeds", "7,", "--store", "my runs"),
        "--recompute",
    ]


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (("run", "quickstart", "--sede", "3"), "--seed"),
        (("plan", "quickstrat"), "'quickstart'"),
        (("plan", "quickstart", "--scale", "labtop"), "'laptop'"),
        (("plan", "quickstart", "--only", "crop+color"), "'crop+colour'"),
        (("plan", "quickstart", "--set", "encoder.widht=2"), "width"),
        (("plan", "quickstart", "--set", "epoch=2"), "epochs"),
        (("plan", "quickstart", "--device", "cdua"), "'cuda'"),
        (("plan", "quickstart", "--keep", "lst"), "'last'"),
    ],
)
def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], near: str
) -> None:
    said = called(capsys, *words)

    assert said.code == 2
    assert "did you mean" in said.err
    assert near in said.err
    assert said.err.count("\n") == 1


def test_all_wrong_options_are_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    said = called(
        capsys,
        *("plan", "quickstart", "--scale", "big", "--seeds", "x", "--device", "tpu"),
        *("--set", "nonsense", "--keep", "all", "--slots", "0", "--budget", "soon"),
    )

    assert said.code == 2
    assert [line.split(": ")[1] for line in said.err.splitlines()] == [
        "--scale",
        "--seeds",
        "--set",
        "--device",
        "--keep",
        "--slots",
        "--budget",
    ]


def test_a_mapping_refines_what_stands_there_as_in_a_study_file(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here)

    said = called(capsys, "plan", study, "--json", "--set", "encoder={width: 0.125}")

    encoders = [trial["config"]["encoder"] for trial in said.json["trials"]]
    encoders = [one for one in encoders if one["kind"] == "resnet"]
    assert {(one["width"], one["stem"]) for one in encoders} == {(0.125, "small")}


def test_the_command_that_a_plan_prints_is_that_of_the_plan_on_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = written_study(here)
    monkeypatch.setenv("COLUMNS", "40")

    said = called(capsys, "plan", study, "--again", "--keep", "none", "--seeds", "7,8")

    [line] = (line for line in said.out.splitlines() if line.startswith("start with: "))
    words = shlex.split(line.removeprefix("start with: ablate run "))
    assert words == [str(study), "--seeds", "7,8", "--again", "--keep", "none"]


def test_a_reader_that_has_seen_enough_stops_the_showing_and_not_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("sys.stdout", Gone())
    out = console()

    out.print("a line")
    out.print("another line")
    sys.stdout.write("and a third")
    sys.stdout.close()


def test_the_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    said = called(capsys, "--version")

    assert (said.code, said.out) == (0, f"ablate {project['version']}\n")


def test_a_part_that_is_off_by_default_is_switched_on_by_an_empty_mapping(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here)

    told = called(capsys, "plan", study, "--set", "evaluation.geometry={}", "--json").json

    assert told["trials"][0]["config"]["evaluation"]["geometry"]["alpha"] == 2


def test_a_study_without_a_probe_has_its_permuted_labels_under_the_default_one(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(here, STUDY.replace("name: mine\n", "name: mine\nmetric: knn_top1\n", 1))

    told = called(capsys, "plan", study, "--set", "evaluation.probe=null", "--json")

    assert told.code == 0, told.err
    probes = {t["role"]: t["config"]["evaluation"]["probe"] for t in told.json["trials"]}
    assert probes["arm"] is None
    assert {t["config"]["evaluation"]["permuted_labels"] for t in told.json["trials"]} == {0, 20}


def test_a_study_is_not_judged_by_a_value_that_is_no_accuracy(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = written_study(
        here, STUDY.replace("name: mine\n", "name: mine\nmetric: uniformity\n", 1)
    )

    said = called(capsys, "plan", study, "--set", "evaluation.geometry={}")

    assert said.code == 2
    assert "metric: must be an accuracy that the evaluation of cell" in said.err


@pytest.mark.usefixtures("tracker")
def test_a_stopped_run_goes_on_with_the_options_it_had_but_not_with_again(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ablations.commands.run._execute", stopped)
    study = written_study(here)
    given = ["--failed", "--keep", "none", "--tracking", "sqlite:///a base.db"]

    said = called(capsys, "run", study, "--again", *given)

    assert said.code == 130
    quoted = shlex.join(given)
    assert f"continue with: ablate run {study} {quoted}\n" in said.err


def test_recomputing_an_encoder_of_ones_own_is_refused_before_anything_runs(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "net.py").write_text("def net(seed): pass\n")
    own = "encoder={kind: file, path: net.py, name: net, num_features: 4}"
    study = written_study(here)
    key = called(capsys, "plan", study, "--set", own, "--json").json["trials"][0]["key"]

    for command in (("run", study), ("trial", study, key)):
        said = called(capsys, *command, "--set", own, "--recompute")
        assert said.code == 2
        assert "--recompute: cell 'crop' trains a custom encoder, which has no blocks" in said.err
        assert not (here / "runs").exists()
