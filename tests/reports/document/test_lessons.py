"""What was easy, difficult and recommended: counted from the records, and nothing else."""

from typing import Any

from made_document import document_of
from made_evidence import beats, evidence, failed, record
from made_studies import compositions, quickstart

from reports.document.blocks import Facts
from reports.spec import Deviation
from reports.spec.evidence import Evidence

UP, FLAT = [9.0, 9.5, 8.5, 9.2, 8.8], [0.1, -0.2, 0.3, -0.1, 0.2]


def lessons(made: Evidence) -> dict[str, dict[str, str]]:
    found = [s for s in document_of(made).sections if s.ident == "lessons"]
    return {b.title: dict(b.facts) for s in found for b in s.blocks if isinstance(b, Facts)}


def with_facts(made: Evidence, cell: str, **facts: Any) -> Evidence:
    records = tuple(
        one.model_copy(update={"facts": one.facts | facts}) if one.cell == cell else one
        for one in made.records
    )
    return made.model_copy(update={"records": records})


def test_a_study_without_trouble_has_nothing_difficult() -> None:
    made = evidence(
        {"a": UP, "b": FLAT}, claims=(beats("a", "b"),), floor=[-9.0, -8.0, -9.5, -9.1, -8.2]
    )

    found = lessons(made)

    assert found["Easy"]["running"] == "17 of 17 trials finished at the first attempt"
    # 25 + seed seconds: of 17 trials the ninth in order.
    assert found["Easy"]["time"] == "27 s per trial (median of 17)"
    assert found["Easy"]["deciding"] == "at the first look: a>b"
    assert "permuted labels" in found["Easy"]["controls"]
    assert found["Difficult"] == {"nothing": "as far as the records show"}
    assert found["Recommended"] == {"nothing": "as far as the records show"}


def test_failures_are_counted_by_reason_with_the_commands_that_repair() -> None:
    made = evidence({"a": [*UP, None, None, None], "b": FLAT},
                    extra=(failed("a", 5), failed("a", 6, "OSError: disk")))  # fmt: skip

    found = lessons(made)

    assert found["Difficult"]["failures"] == (
        "2 of 23 trials: failed: Diverged: the loss was nan (1); failed: OSError: disk (1)"
    )
    assert found["Recommended"]["failed trials"] == "ablate run quickstart --failed"
    # 20 finished trials took 548 s together.
    missing = found["Recommended"]["missing trials"]
    assert missing.startswith("1, about 27 s of trials: ablate run quickstart")


def test_each_undecided_claim_says_what_would_decide_it() -> None:
    waiting = lessons(evidence({"a": UP[:3], "b": FLAT[:3]}, claims=(beats("a", "b"),)))
    close = lessons(evidence({"a": UP, "b": [9.1, 8.0, 9.9, 8.6, 9.3]}, claims=(beats("a", "b"),)))

    assert waiting["Recommended"]["to decide a>b"] == "3 seeds, next look at 5"
    assert close["Difficult"]["deciding"] == "undecided: a>b"
    assert "seeds would be needed at this mean and spread" in close["Recommended"]["to decide a>b"]


def test_what_a_training_run_or_a_probe_went_through_is_named() -> None:
    made = evidence({"a": UP, "b": FLAT}, floor=[1.0] * 5, extra=(record("a", 1, 9.4, attempt=2),))
    made = with_facts(made, "a", collapsed=True, resumed_at_step=[5], l2_at_the_edge=True)
    made = with_facts(made, "b", probe_converged=False)

    difficult, recommended = lessons(made)["Difficult"], lessons(made)["Recommended"]

    assert difficult["collapse"].startswith("embeddings collapsed in a seed 0, a seed 1")
    assert difficult["interruption"].startswith("5 training runs had to be resumed: a seed 0")
    assert difficult["repetition"] == "1 trial ran more than once: a seed 1"
    assert difficult["learning"] == "on average not above their random encoder: b"
    assert recommended["collapse"] == "a lower optimizer.learning_rate, or a longer warm-up, for a"
    assert recommended["probe"] == "a wider evaluation.probe.l2: 5 trials chose its edge"
    assert "5 trials did not converge" in recommended["convergence"]


def test_a_trial_that_took_long_and_what_was_not_tuned_are_named() -> None:
    untuned = Deviation(field="optimizer.learning_rate", here="not tuned", paper="tuned")
    made = evidence({"a": UP, "b": FLAT}, cells={"a": {"deviations": (untuned,)}})
    slow = made.records[2].model_copy(update={"seconds": 1000.0})
    made = made.model_copy(update={"records": (*made.records[:2], slow, *made.records[3:])})

    found = lessons(made)

    assert found["Difficult"]["time"].endswith("the longest, a seed 2, 1,000 s")
    assert found["Recommended"]["tuning"] == "tune as the paper did: optimizer.learning_rate"


def test_times_are_a_trials_own_seconds_whatever_ran_in_its_process_meanwhile() -> None:
    made = evidence({"a": [*UP, None], "b": FLAT})
    records = tuple(
        one.model_copy(update={"own_seconds": 7.0, "seconds": 900.0}) for one in made.records
    )

    found = lessons(made.model_copy(update={"records": records}))

    assert found["Easy"]["time"].startswith("7 s per trial")
    assert found["Recommended"]["missing trials"].startswith("1, about 7 s of trials")


def test_nothing_is_said_before_any_trial_has_ended() -> None:
    nothing = evidence({"a": [None]}, floor=[], pixels=None, control=None)

    assert lessons(nothing) == {}
    assert "something learned (not decided yet)" in lessons(compositions())["Difficult"]["controls"]
    assert "deciding" in lessons(quickstart())["Easy"]
