"""Which signals end a launch."""

import os
import signal
from collections.abc import Generator

import pytest

from sweeps.execution.interrupts import interruptible


@pytest.fixture(autouse=True)
def hang_up() -> Generator[None]:
    """As in a terminal, where these tests run below nohup as well."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("one", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_of_them_interrupts(one: signal.Signals) -> None:
    before = signal.getsignal(one)

    with pytest.raises(KeyboardInterrupt), interruptible():
        os.kill(os.getpid(), one)

    assert signal.getsignal(one) is before


def test_a_hang_up_that_is_ignored_stays_ignored_as_nohup_asks() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with interruptible():
        os.kill(os.getpid(), signal.SIGHUP)
