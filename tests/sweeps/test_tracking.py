"""Tracking told of addresses, and of servers that are not there."""

import socket
import time
from pathlib import Path

import pytest

from sweeps import Plan, Store, TrackingError, open_tracking, places, tracking_uri
from sweeps.tracking import shown

WRONG = ["runs", "file:///tmp/runs", "htp://host", "ftp://host", "/a/path"]


def dead_address() -> str:
    """A port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_runs_go_where_they_are_told_else_to_the_variable_else_to_the_store(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking_uri(store) == f"sqlite:///{store.path}/mlflow.db"

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://variable")
    assert tracking_uri(store) == "http://variable"
    assert tracking_uri(store, "https://told") == "https://told"


@pytest.mark.parametrize("uri", WRONG)
def test_an_address_that_mlflow_cannot_take_is_one_sentence(
    store: Store, small_plan: Plan, uri: str
) -> None:
    with pytest.raises(TrackingError) as caught:
        open_tracking(store, small_plan, uri=uri)

    assert f"--tracking: {uri!r} is no address that MLflow takes" in str(caught.value)
    assert "http://, https:// or sqlite:///" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_variable_is_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "here")

    with pytest.raises(TrackingError, match="MLFLOW_TRACKING_URI: 'here'"):
        tracking_uri(store)


def test_a_password_in_an_address_is_not_shown() -> None:
    assert shown("postgresql://me:secret@host/db") == "postgresql://me:...@host/db"


def test_without_a_study_there_is_no_place_to_show(store: Store) -> None:
    with pytest.raises(TrackingError, match="has no study yet; run one first"):
        places(store)


@pytest.mark.slow
def test_a_server_that_hangs_is_waited_for_no_longer_than_told(
    store: Store, small_plan: Plan
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        tracking = open_tracking(store, small_plan, uri=uri)
        began = time.monotonic()

        closed = tracking.close(timeout=1.0)

    assert time.monotonic() - began < 3.0
    assert closed.trouble == (
        f"tracking at {uri} does not keep up (no answer within 1 s); the records are complete, and"
        " the next launch catches up"
    )
    assert closed.written == 0


def test_a_tracker_that_cannot_be_started_is_one_sentence(
    store: Store, small_plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")

    closed = open_tracking(store, small_plan).close()

    assert "No such file or directory" in str(closed.trouble)
    assert not list(Path(store.running).glob("*.tracking"))
