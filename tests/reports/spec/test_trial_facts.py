"""The facts of a trial: validated where they are made, migrated where they are old."""

from typing import Any

import pytest

from reports.errors import ReportError
from reports.spec.trial_facts import DataFacts, FewLabelsFacts, TrialFacts, facts_of
from sweeps.record import TrialRecord

WRITTEN: dict[str, Any] = {
    "data": {"name": "CIFAR-10", "fingerprint": "f", "training_images": 50_000,
             "test_images": 10_000, "classes": 10, "test_images_in_train": 0, "deviations": ["x"]},
    "optimiser_steps": 7, "collapsed": False, "resumed_at_step": [3, 5],
    "encoder_hash_before": "a", "encoder_hash_after": "a", "measured_on": "test", "test_reads": 1,
    "l2": 0.1, "images@10%": 30, "l2@10%": 1.0, "l2_at_the_edge@10%": True,
}  # fmt: skip

FORMAT_2 = """{"key": "k", "study": "s", "scale": "laptop", "cell": "a", "role": "arm", "levels": {},
"seed": 0, "config": {}, "stages": [], "state": "finished", "values": {"top1": 50.0}, "error": null,
"started": "2026-11-01T00:00:00.000Z", "seconds": 1.0, "attempt": 1, "launch": "l", "format": 2,
"facts": {"data": {"name": "CIFAR-10", "fingerprint": "f", "training images": 50000,
"test images": 10000, "classes": 10, "test images that also stand in train": 4, "deviations": []},
"train_test_overlap": 4, "optimiser_steps": 31200, "pretraining_seconds": 9.5, "num_parameters": 23,
"device": "cpu", "precision": "fp32", "images_left_out_of_each_epoch": 20, "labels_seen": "none",
"test_reads_in_pretraining": 0, "collapsed": true,
"collapse": {"step": 9, "effective_rank": 1.5, "loss": 6.2, "collapsed_value": 6.24},
"l2": 0.1, "l2_at_the_edge": false, "l2@1%": 10.0, "images@1%": 500, "largest_class_share": 10.0,
"test_reads_before_evaluation": 0, "shared_images": 0, "measured_on": "test", "test_reads": 1,
"encoder_hash_before": "a1", "encoder_hash_after": "a1", "of_another_time": 3,
"unknown": {"knn_top1": "not measured"}},
"curve": {}, "log": "", "provenance": {}}"""
"""A record as format 2 had it, before the facts had a version."""


def record(facts: dict[str, Any]) -> TrialRecord:
    return TrialRecord.model_validate_json(
        FORMAT_2.replace('"format": 2', '"format": 3')
    ).model_copy(update={"facts": facts})


def test_the_facts_of_a_record_of_format_2_are_read() -> None:
    old = TrialRecord.model_validate_json(FORMAT_2.replace('"format": 2', '"format": 3'))

    facts = facts_of(old)

    assert facts.data == DataFacts(
        name="CIFAR-10",
        fingerprint="f",
        training_images=50_000,
        test_images=10_000,
        classes=10,
        test_images_in_train=4,
    )
    assert facts.collapse is not None
    assert (facts.collapsed, facts.collapse.step, facts.collapse.collapsed_value) == (True, 9, 6.24)
    assert facts.few_labels == {"1%": FewLabelsFacts(images=500, l2=10.0)}
    assert (facts.encoder_hash_before, facts.encoder_hash_after) == ("a1", "a1")
    assert (facts.shared_images, facts.measured_on, facts.test_reads) == (0, "test", 1)
    assert facts.unknown == {"knn_top1": "not measured"}
    assert facts.custom == {"of_another_time": 3}
    assert (facts.captured_steps, facts.why_eager) == (None, None)


def test_facts_of_version_2_say_nothing_of_captures_if_they_are_older_than_those() -> None:
    older = TrialFacts.of_trial(WRITTEN).recorded()

    assert not {"captured_steps", "why_eager"} & older.keys()
    assert facts_of(record(older)).captured_steps is None


def test_what_was_written_is_read_again() -> None:
    facts = TrialFacts.of_trial({**WRITTEN, "captured_steps": 0, "why_eager": "recompute"})

    assert facts_of(record(facts.recorded())) == facts
    assert facts.recorded()["version"] == 4
    assert "shared_images" not in facts.recorded()
    assert facts.resumed_at_step == (3, 5)
    assert (facts.captured_steps, facts.why_eager) == (0, "recompute")
    assert facts.few_labels["10%"] == FewLabelsFacts(images=30, l2=1.0, l2_at_the_edge=True)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"encoder_sha_before": "a"}, "encoder_sha_before"),
        ({"encoder_hash_before": None}, "encoder_hash_before"),
        ({"shared_images": "none"}, "shared_images"),
        ({"test_reads": 1.5}, "test_reads"),
        ({"measured_on": "train"}, "measured_on"),
        ({"top@10%": 1}, "top"),
        ({"data": {"training images": 3}}, "training images"),
    ],
)
def test_a_fact_that_was_renamed_or_has_another_type_fails_where_it_is_made(
    change: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        TrialFacts.of_trial({**WRITTEN, **change})


def test_what_old_facts_hold_of_another_type_is_unknown_and_not_lost() -> None:
    facts = facts_of(record({"shared_images": "many", "encoder_hash_after": "b"}))

    assert (facts.shared_images, facts.encoder_hash_after) == (None, "b")
    assert facts.custom == {"shared_images": "many"}


def test_facts_that_do_not_fit_their_version_are_named_with_trial_and_fix() -> None:
    with pytest.raises(ReportError) as caught:
        facts_of(record({"version": 2, "shared_images": "many"}))

    assert str(caught.value) == (
        "the facts of trial k, attempt 1, must follow version 2, but this one does not: "
        "('shared_images',); run the trial again with --again"
    )


@pytest.mark.parametrize("version", [2, 3])
def test_facts_of_versions_2_and_3_are_those_of_version_4_without_its_counts(version: int) -> None:
    written = TrialFacts.of_trial(WRITTEN).recorded() | {"version": version}

    assert facts_of(record(written)) == TrialFacts.of_trial(WRITTEN)
    assert facts_of(record(written)).class_right == ()
    assert facts_of(record(written)).class_confusion == ()


def test_counts_by_class_are_written_and_read() -> None:
    confused = [[2, 1], [1, 0]]
    counts = {"class_images": [3, 1], "class_right": [2, 0], "class_confusion": confused}

    facts = TrialFacts.of_trial(WRITTEN | counts)

    assert facts_of(record(facts.recorded())).class_right == (2, 0)
    assert facts.recorded()["class_images"] == [3, 1]
    assert facts.recorded()["class_confusion"] == confused
    assert facts_of(record(facts.recorded())).class_confusion == ((2, 1), (1, 0))


@pytest.mark.parametrize(
    "confused", [[[2, 1], [1]], [[2, 1, 0], [1, 0, 0]], [[3]], [[1, 0, 0], [0, 1, 0], [0, 0, 1]]]
)
def test_a_confusion_matrix_that_is_not_of_its_classes_is_refused_where_it_is_made_and_read(
    confused: list[list[int]],
) -> None:
    counts = {"class_images": [3, 1], "class_right": [2, 0], "class_confusion": confused}

    with pytest.raises(ValueError, match="of 2 classes must be 2 by 2"):
        TrialFacts.of_trial(WRITTEN | counts)
    with pytest.raises(ReportError, match=r"trial k, attempt 1, .*class_confusion.*--again"):
        facts_of(record({"version": 4, **counts}))


def test_a_ragged_matrix_of_an_unknown_number_of_classes_is_refused() -> None:
    with pytest.raises(ReportError, match="class_confusion"):
        facts_of(record({"version": 4, "class_confusion": [[1, 2], [3]]}))
    assert facts_of(record({"version": 4, "class_confusion": [[1]]})).class_confusion == ((1,),)


def test_a_trial_without_facts_knows_nothing() -> None:
    assert facts_of(record({})) == TrialFacts()
