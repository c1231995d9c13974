"""How a trial is carried out: devices, threads, layouts."""

from contextlib import ExitStack

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from simclr_core.errors import ConfigurationError, PartError
from simclr_core.plugins import FromFile
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


NO_ROOM = (
    "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling `cusolverDnCreate(handle)`",
    "cuFFT error: CUFFT_ALLOC_FAILED",
    "MPS backend out of memory (MPS allocated: 17.8 GB, other allocations: 1.2 GB)",
)
OTHER_FAULTS = (
    "CUDA error: an illegal memory access was encountered",
    "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm(handle)`",
    "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
)


@pytest.mark.parametrize("kind", [RuntimeError, torch.AcceleratorError])
@pytest.mark.parametrize("message", NO_ROOM)
def test_whatever_library_lacks_memory_it_is_one_error(message: str, kind: type) -> None:
    with pytest.raises(torch.OutOfMemoryError, match=message[:20]), Execution().in_force():
        raise kind(message)


@pytest.mark.parametrize("message", OTHER_FAULTS)
def test_other_errors_of_a_device_stay_what_they_are(message: str) -> None:
    with pytest.raises(RuntimeError) as caught, Execution().in_force():
        raise RuntimeError(message)

    assert type(caught.value) is RuntimeError


def test_a_component_that_found_no_memory_is_not_blamed_for_it() -> None:
    part = FromFile(path="loss.py", name="loss", sha256=64 * "0")

    named = pytest.raises(torch.OutOfMemoryError, match=r"loss\.py")
    with named, Execution().in_force(), part.blamed():
        raise RuntimeError(NO_ROOM[1])


def test_words_about_memory_in_another_kind_of_error_are_no_lack_of_it() -> None:
    with pytest.raises(PartError), Execution().in_force():
        raise PartError("loss.py must not say out of memory")


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
