"""The facts of a trial besides its values: hashes, counts and choices, as one versioned model.

The trial validates its facts when it ends; reports read every record through `facts_of`. A field is
None if the trial did not report it.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator

from reports.errors import ReportError
from sweeps.base import Frozen
from sweeps.jsonable import plain
from sweeps.record import TrialRecord

VERSION = 4
"""Raised when a field is added or changes its name or meaning; older facts are migrated when they are
read.

1: flat, without a version; the names of the data's counts contain blanks.
2: without names of classes and counts by class. 3: without the confusion matrix.
"""


OF_FEWER_FIELDS = (2, 3)
"""Such facts are of the present version without its new fields."""


class DataFacts(Frozen):
    """The images of a trial."""

    name: str | None = None
    fingerprint: str | None = None
    """SHA-256 of content and decoding."""

    training_images: int | None = None
    test_images: int | None = None
    classes: int | None = None
    class_names: tuple[str, ...] = ()
    """In the order of the counts by class."""

    test_images_in_train: int | None = None
    """Test images, by content, that are training images as well."""

    deviations: tuple[str, ...] = ()
    """How the images differ from those of the publication; one sentence for each difference."""


class CollapseFacts(Frozen):
    """When the embeddings were found collapsed."""

    step: int | None = None
    """Optimiser steps done."""

    effective_rank: float | None = None
    """The effective rank of the last embeddings, in dimensions."""

    loss: float | None = None
    """In nats."""

    collapsed_value: float | None = None
    """The loss of embeddings that are all equal, in nats."""


class FewLabelsFacts(Frozen):
    """The probe that was fitted on a fraction of the labels."""

    images: int | None = None
    l2: float | None = None
    l2_at_the_edge: bool | None = None


class TrialFacts(Frozen):
    """The facts of one trial."""

    version: Literal[4] = VERSION

    data: DataFacts = DataFacts()

    optimiser_steps: int | None = None
    pretraining_seconds: float | None = None
    """Of its own turns, where trials of a process took turns; summed over the launches that took part."""

    num_parameters: int | None = None
    """Of the encoder, without its head."""

    device: str | None = None
    precision: str | None = None
    images_left_out_of_each_epoch: int | None = None
    """The images of the last, incomplete batch."""

    labels_seen: str | None = None
    """In pre-training: none, or the split whose labels the loss was given."""

    test_reads_in_pretraining: int | None = None
    """How often pre-training read the test images; 0 unless something leaked."""

    collapsed: bool | None = None
    """None if it could not be judged."""

    collapse: CollapseFacts | None = None
    captured_steps: int | None = None
    """Optimiser steps that a GPU replayed as one graph; all others ran kernel by kernel. None in records
    of earlier versions, and where nothing was trained."""

    why_eager: str | None = None
    """Why steps ran kernel by kernel; None if they were captured, or the record does not say."""

    resumed_at_step: tuple[int, ...] = ()
    """Optimiser steps at which an interrupted pre-training was resumed."""

    encoder_hash_before: str | None = None
    """SHA-256 of weights and batch norm statistics before evaluation."""

    encoder_hash_after: str | None = None
    head_hash_before: str | None = None
    """Only where a layer of the head was evaluated."""

    head_hash_after: str | None = None
    measured_on: Literal["test", "validation"] | None = None
    """The split whose images gave the values."""

    test_reads: int | None = None
    """How often evaluation read the test images."""

    test_reads_before_evaluation: int | None = None
    """Test reads before all choices were made; 0 unless something leaked."""

    shared_images: int | None = None
    """Images of the measured split, by content, that the probe was fitted or chosen on."""

    largest_class_share: float | None = None
    """Accuracy of the majority-class baseline, in per cent."""

    class_images: tuple[int, ...] = ()
    """Images of the measured split by class; empty if the probe predicts something else."""

    class_right: tuple[int, ...] = ()
    """Of these, the images whose class the probe predicted."""

    class_confusion: tuple[tuple[int, ...], ...] = ()
    """Rows are true classes, columns predicted ones: images of the measured split. Empty above 100 classes,
    in records of earlier versions, and if the probe predicts something else; else it is square, with a row
    for each of `class_images` if these are known."""

    l2: float | None = None
    """The probe's regularisation, chosen on the validation split."""

    l2_at_the_edge: bool | None = None
    """Whether the choice was the smallest or largest candidate."""

    probe_converged: bool | None = None
    probe_iterations: int | None = None
    """Steps of the final fit, which starts from the chosen one."""

    candidates_not_converged: int | None = None
    permutations: int | None = None
    """Permutations of the labels, in the control with permuted labels."""

    few_labels: dict[str, FewLabelsFacts] = Field(default_factory=dict)
    """Fraction, such as `10%` -> the probe of that few labels."""

    unknown: dict[str, str] = Field(default_factory=dict)
    """Name of a value without a finite number -> the reason."""

    custom: dict[str, Any] = Field(default_factory=dict)
    """Facts that this version does not know, from custom components or other versions."""

    @field_validator("class_confusion")
    @classmethod
    def _square(
        cls, rows: tuple[tuple[int, ...], ...], info: ValidationInfo
    ) -> tuple[tuple[int, ...], ...]:
        # Fields that are in error themselves are not in `info.data`.
        number = len(info.data.get("class_images", ())) or len(rows)
        if rows and {len(rows), *map(len, rows)} != {number}:
            raise ValueError(f"a confusion matrix of {number} classes must be {number} by {number}")
        return rows

    @classmethod
    def of_trial(cls, facts: Mapping[str, Any]) -> Self:
        """The facts of a trial that ends now, from the trainer's names and the `data` of the caller.

        Raises:
            ValueError: A fact is unknown, is of another type, or a fact of every evaluation is missing.
        """
        if lacking := [name for name in _ALWAYS if facts.get(name) is None]:
            raise ValueError(f"a trial's facts need {', '.join(lacking)}; got {', '.join(facts)}")
        # As JSON, in which a list is the one sequence: strict about all else.
        return cls.model_validate_json(json.dumps(plain(_by_fraction(facts))), strict=True)

    def recorded(self) -> dict[str, Any]:
        """The form in a record: the known facts and the version."""
        return {
            "version": self.version,
            **self.model_dump(mode="json", exclude_defaults=True),
        }


_ALWAYS = ("data", "encoder_hash_before", "encoder_hash_after", "measured_on", "test_reads")


def facts_of(record: TrialRecord) -> TrialFacts:
    """The facts of a record, of this version or an older one.

    Raises:
        ReportError: They have this version but do not match it.
    """
    facts = record.facts
    version = facts.get("version")
    if version in (VERSION, *OF_FEWER_FIELDS):
        try:
            return TrialFacts.model_validate({**facts, "version": VERSION})
        except ValidationError as error:
            raise ReportError(
                f"the facts of trial {record.key}, attempt {record.attempt}, must follow version "
                f"{version}, but this one does not: {error.errors()[0]['loc']}; run the trial "
                "again with --again"
            ) from error
    return _from_1(facts)


def _from_1(facts: Mapping[str, Any]) -> TrialFacts:
    """Facts without a version. Facts that do not fit become unknown and are stored in `custom`."""
    fields = _by_fraction({name: fact for name, fact in facts.items() if fact is not None})
    data = {str(name).replace(" ", "_"): fact for name, fact in fields.get("data", {}).items()}
    overlap = data.pop("test_images_that_also_stand_in_train", None)
    overlap = fields.pop("train_test_overlap", overlap)
    fields["data"] = {name: fact for name, fact in data.items() if name in DataFacts.model_fields}
    fields["data"]["test_images_in_train"] = overlap
    custom = {
        name: fields.pop(name) for name in list(fields) if name not in TrialFacts.model_fields
    }
    try:
        return TrialFacts.model_validate({**fields, "custom": custom})
    except ValidationError as error:
        wrong = {str(one["loc"][0]) for one in error.errors()}
        custom |= {name: fields.pop(name) for name in wrong}
        return TrialFacts.model_validate({**fields, "custom": custom})


def _by_fraction(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Moves the facts of few labels, which the trainer names `l2@10%`, under their fraction."""
    found: dict[str, Any] = {}
    for name, fact in facts.items():
        what, marked, fraction = name.partition("@")
        if marked:
            found.setdefault("few_labels", {}).setdefault(fraction, {})[what] = fact
        else:
            found[name] = fact
    return found
