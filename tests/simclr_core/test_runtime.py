"""How a trial is carried out: devices, threads, layouts."""

from contextlib import ExitStack

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from simclr_core.errors import ConfigurationError
from simclr_core.runtime import Execution, resolve_device


def with_devices(patch: pytest.MonkeyPatch, *, cuda: bool, mps: bool) -> None:
    patch.setattr(torch.cuda, "is_available", lambda: cuda)
    patch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_is_the_first_of_cuda_mps_and_cpu(
    monkeypatch: pytest.MonkeyPatch, *, cuda: bool, mps: bool, expected: str
) -> None:
    with_devices(monkeypatch, cuda=cuda, mps=mps)

    assert Execution().resolved_device == expected


def test_a_device_that_is_not_here_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with_devices(monkeypatch, cuda=False, mps=False)

    with pytest.raises(ConfigurationError) as caught:
        resolve_device("cuda")

    assert str(caught.value) == (
        "device: must be available on this machine, got cuda; use auto or cpu"
    )


def test_threads_hold_within_and_are_put_back_even_after_an_error() -> None:
    before = torch.get_num_threads()

    def ends_in_an_error() -> None:
        with Execution(threads=before + 1).in_force():
            assert torch.get_num_threads() == before + 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ends_in_an_error()

    assert torch.get_num_threads() == before


def test_fp32_on_a_gpu_is_not_rounded_to_ten_bits_within() -> None:
    def allowed() -> tuple[bool, bool]:
        return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32

    before = allowed()
    with Execution(device="cpu").in_force():
        assert allowed() == (False, False)

    assert allowed() == before


def test_no_threads_leave_torchs_own_choice() -> None:
    before = torch.get_num_threads()

    with Execution().in_force():
        assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("execution", "expected"),
    [
        (Execution(device="cpu"), True),
        (Execution(device="cpu", memory_format="contiguous"), False),
    ],
)
def test_a_network_is_placed_in_the_layout(execution: Execution, *, expected: bool) -> None:
    network = execution.place(nn.Sequential(nn.Conv2d(3, 4, 3)))

    kernel = network[0].weight
    assert kernel.is_contiguous(memory_format=torch.channels_last) == expected


def test_no_thread_at_all_is_refused() -> None:
    with pytest.raises(ValidationError, match="threads"):
        Execution(threads=0)


def test_settings_of_trials_that_overlap_hold_until_the_last_one_ends() -> None:
    before = torch.get_num_threads()
    first, second = Execution(threads=before + 1), Execution(threads=before + 2)

    with ExitStack() as outer, ExitStack() as inner:
        outer.enter_context(first.in_force())
        inner.enter_context(second.in_force())
        outer.close()
        assert torch.get_num_threads() == before + 2
        assert not torch.backends.cuda.matmul.allow_tf32
        inner.close()

    assert torch.get_num_threads() == before
