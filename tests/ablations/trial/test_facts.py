"""The facts of a real trial fit the model that reports read them by, or the trial says which do not."""

from pathlib import Path
from typing import Any

import pytest
from commands import the_plan, written_study
from counted import run_counted

from ablations.trial import stages as product
from reports.spec.trial_facts import facts_of
from sweeps.storage.store import Store


def test_each_kind_of_trial_leaves_facts_of_todays_version(here: Path) -> None:
    plan = the_plan(written_study(here), seeds=(0,))

    for trial in plan.trials:
        ran = run_counted(here / "mine.yaml", trial.key, here / "runs", here / "counter")
        record = Store(here / "runs").record(ran.key, ran.attempt)
        assert record is not None
        assert record.state == "finished", record.error
        facts = facts_of(record)
        assert record.facts == facts.recorded(), trial.cell
        assert facts.custom == {}
        assert facts.data.training_images == 64
        assert len(str(facts.encoder_hash_after)) == 64


def test_a_fact_that_the_trainer_renamed_fails_the_trial_with_its_name(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = product.evaluate

    def renamed(*arguments: Any, **named: Any) -> Any:
        found = measure(*arguments, **named)
        facts = dict(found.facts)
        return found._replace(facts=facts | {"frozen_hash": facts.pop("encoder_hash_after")})

    monkeypatch.setattr(product, "evaluate", renamed)
    key = the_plan(written_study(here)).trials[0].key

    ran = run_counted(here / "mine.yaml", key, here / "runs", here / "counter")

    assert ran.state == "failed"
    assert "a trial's facts need encoder_hash_after" in str(ran.error)
