"""Runs that a dead tracker left open in MLflow, of whatever study, are closed by the next one."""

import pytest

from sweeps.storage import Store
from sweeps.tracking.address import own_uri
from sweeps.tracking.database import open_client
from sweeps.tracking.runs import Runs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of MLflow's own parts
]


def test_what_a_dead_tracker_left_open_is_closed_and_what_is_foreign_stays(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.prepare()
    monkeypatch.chdir(store.path)  # as the tracker does
    uri = own_uri(store)
    client = open_client(uri, store)
    experiment = client.create_experiment("another study")
    ours, foreign = (
        client.create_run(experiment, tags={"sweeps.store": name}).info.run_id
        for name in (store.identity, "of another store")
    )

    about = {
        "label": "toy@smoke+size=2",
        "study": "toy",
        "scale": "smoke",
        "uri": uri,
        "reopen": False,
    }
    made = Runs(client, store, {**about, "trials": [], "cells": [], "metric": "top1"})

    assert client.get_run(ours).info.status == "KILLED"
    assert client.get_run(foreign).info.status == "RUNNING"
    assert made.parent.info.run_name == "size=2, toy@smoke"  # the difference first
