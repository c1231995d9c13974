"""Two trials next to each other, made by hand."""

from typing import Any

from made_evidence import record

from reports.comparing import ABSENT, TrialDiff, trial_diff
from sweeps.record import TrialRecord

FINGERPRINT = {"name": "textures", "fingerprint": "ab"}


def made(**changes: Any) -> TrialRecord:
    config = {"loss": {"kind": "nt_xent", "temperature": 0.5}, "batch_size": 64, "seed": 0}
    fields: dict[str, Any] = {
        "config": config | {"seeds": {"order": 0}},
        "facts": {"version": 2, "data": FINGERPRINT, "device": "cpu"},
        "provenance": {
            "code": {"commit": "1a"},
            "packages": {"torch": "2.15.0"},
            "machine": {"cpu": "one", "cores": 2},
            "threads": 1,
        },
        "chain": (("encoder", {"trainer": 1}), ("evaluation", {"version": 2})),
        "values": {"top1": 50.0, "top5": 90.0},
    }
    return record("crop", 0, 50.0, **(fields | changes))


def differing(found: TrialDiff) -> dict[str, dict[str, tuple[Any, ...]]]:
    return {
        group.name: {field.name: field.values for field in group.differing}
        for group in found.groups
        if group.differing
    }


def test_a_trial_does_not_differ_from_itself_and_its_fields_are_counted() -> None:
    found = trial_diff(made(), made())

    assert differing(found) == {}
    assert {group.name: group.equal for group in found.groups} == {
        "configuration": 3,
        "seeds": 2,
        "versions": 4,
        "machine": 3,
        "data": 2,
        "provenance": 11,
        "facts": 1,
    }


def test_each_difference_is_in_its_group_with_both_values() -> None:
    first = made()
    other = made(
        config={
            "loss": {"kind": "nt_xent", "temperature": 0.2},
            "batch_size": 64, "seed": 1, "seeds": {"order": 1},
        },
        facts={"version": 2, "data": FINGERPRINT | {"fingerprint": "cd"}, "device": "cuda"},
        provenance={
            "code": {"commit": "2b"},
            "packages": {"torch": "2.16.0"},
            "machine": {"cpu": "another", "cores": 2},
            "threads": 4,
            "queue": "night",
        },
        chain=(("encoder", {"trainer": 1}), ("evaluation", {"version": 3})),
        launch="launch-2",
    )  # fmt: skip

    found = differing(trial_diff(first, other))

    assert found == {
        "configuration": {"loss.temperature": (0.5, 0.2)},
        "seeds": {"seed": (0, 1), "seeds.order": (0, 1)},
        "versions": {
            "evaluation": (2, 3),
            "code.commit": ("1a", "2b"),
            "packages.torch": ("2.15.0", "2.16.0"),
        },
        "machine": {"cpu": ("one", "another"), "threads": (1, 4)},
        "data": {"fingerprint": ("ab", "cd")},
        "provenance": {"launch": ("launch-1", "launch-2"), "queue": (ABSENT, "night")},
        "facts": {"device": ("cpu", "cuda")},
    }


def test_a_difference_of_values_is_the_second_minus_the_first_and_unknown_stays_unknown() -> None:
    found = trial_diff(
        made(), made(values={"top1": 53.5, "top5": None, "knn_top1": 40.0}, seconds=20.0)
    )

    assert [(one.name, one.first, one.second, one.difference) for one in found.values] == [
        ("top1", 50.0, 53.5, 3.5),
        ("top5", 90.0, None, None),
        ("knn_top1", None, 40.0, None),
        ("seconds", 25.0, 20.0, -5.0),
    ]
