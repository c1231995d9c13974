"""The training speed of this machine, measured with a few steps at the first run in a store.

The result determines the threads of each trial, the number of trials at a time and the memory format.
None of these changes the identity of a trial, so they are not in its key; they are in the record's
provenance.
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from ablations.machine_timing import LAPTOP, Joules, MemoryFormat, Miniature, miniature
from sweeps.base import Frozen
from sweeps.execution import even_shares
from sweeps.processes import now
from sweeps.provenance import cpu_name, usable_cores
from sweeps.storage import as_store_error, read_json, write_json

Device = Literal["cpu", "cuda", "mps"]

BATCH = 64
"""Images in a timed step: enough to fill the caches, few enough to take only seconds."""

STEPS = 3
"""Timed steps for each setting, after one that is not counted; the median is used."""

GPU_BATCH, GPU_ROUNDS = 256, 30
"""Images of each step, and steps of each member, where trials at once on a GPU are timed."""

MEMORY_A_TRIAL = 2 * 1024**3
"""Memory of a worker: torch, the decoded data and the activations of the laptop network."""


class Rate(Frozen):
    """One setting and its speed."""

    threads: int
    memory_format: MemoryFormat
    precision: Literal["fp32", "bf16"] = "fp32"

    images_per_second: float
    """Pairs of views through network, loss and optimiser, in one process."""


class Machine(Frozen):
    """The measurements, the machine, and the settings chosen from them."""

    cpu: str
    cores: int = Field(ge=1)
    device: Device
    torch: str
    """The version of torch that was timed."""

    threads: int = Field(ge=1)
    """For each trial."""

    slots: int = Field(ge=1)
    """Trials at a time."""

    workers: int | None = Field(default=None, ge=1)
    """Worker processes, one for each GPU, which share the slots; None gives each slot its own."""

    memory_format: MemoryFormat
    rates: tuple[Rate, ...]
    timed: str
    """When, ISO 8601."""

    miniature: Miniature | None = None
    """A whole trial in miniature, from which durations are estimated; None on a GPU."""

    resident: int | None = None
    """Bytes of resident memory of the process that was timed, after the miniature."""

    watts: float | None = None
    """What the processor drew while it was timed; None where the machine does not say."""

    @model_validator(mode="before")
    @classmethod
    def _of_an_earlier_version(cls, about: Any) -> Any:
        """It held the trials at a time in one worker."""
        if isinstance(about, dict) and isinstance(members := about.get("members"), int):
            rest = {name: value for name, value in about.items() if name != "members"}
            if about.get("device") == "cuda":
                rest["workers"] = max(1, about["slots"] // max(1, members))
            return rest
        return about

    @property
    def processes(self) -> int:
        """Worker processes at a time: estimates divide the trials' own seconds by them."""
        return len(even_shares(self.slots, self.workers))

    def is_of_here(self, device: Device) -> bool:
        """Whether it was measured on this machine's processor and such a device, with this torch."""
        import torch

        here = (cpu_name(), usable_cores(), device, torch.__version__)
        return (self.cpu, self.cores, self.device, self.torch) == here

    def with_slots(self, slots: int | None) -> "Machine":
        """The same machine with another number of trials at a time, if one is given.

        GPUs share them evenly, each with its worker; on a CPU the cores are divided among them.
        """
        if slots is None:
            return self
        if self.device == "cuda":
            return self.model_copy(update={"slots": slots})
        threads = max(1, self.cores // slots)
        return self.model_copy(update={"slots": slots, "threads": threads})


def machine(
    file: Path, device: Device, announce: Callable[[str], object] = lambda _: None
) -> Machine:
    """The profile of this machine: read from the store's file, measured again on another machine.

    Before a measurement, `announce` gets a line about it.

    Raises:
        StoreError: the file cannot be written.
    """
    saved = known(file)
    if saved is not None and saved.is_of_here(device):
        return saved
    announce("timing this machine, once for each store: some seconds, longer if it is busy")
    measured = measure(device)
    keep(measured, file)
    return measured


def keep(measured: Machine, file: Path) -> None:
    """Saves a profile.

    Raises:
        StoreError: the file cannot be written.
    """
    with as_store_error(file):
        write_json(file, measured.model_dump(mode="json"))


def known(file: Path) -> Machine | None:
    """The stored profile of a machine; None if nothing was timed or the file is incomplete."""
    about = read_json(file)
    try:
        return None if about is None else Machine.model_validate(about)
    except ValidationError:
        return None


def on_gpus(slots: int, gpus: int | None) -> str | None:
    """How several GPUs share the trials at a time; None where there are not several."""
    if gpus is None or gpus == 1:
        return None
    if slots < gpus:
        return f"{slots} at a time use {slots} of {gpus} GPUs; --slots {gpus} uses all of them"
    *others, last = shares = even_shares(slots, gpus)
    if shares[0] == last:
        return f"{slots} at a time on {gpus} GPUs: {last} on each"
    each = f"{', '.join(map(str, others))} and {last}"
    return f"{slots} at a time on {gpus} GPUs: {each}; --slots {gpus * shares[0]} loads all alike"


def processes_at(file: Path) -> int:
    """Worker processes at a time on the machine of a store; 1 before it was timed."""
    about = known(file)
    return 1 if about is None else about.processes


def measure(device: Device) -> Machine:
    """Times a few steps in each setting and chooses the quickest for many trials together."""
    import psutil
    import torch

    cores = usable_cores()
    counts = sorted({1, cores}) if device == "cpu" else [cores]
    formats: tuple[MemoryFormat, ...] = ("contiguous", "channels_last")
    rates = [
        Rate(
            threads=threads,
            memory_format=form,
            images_per_second=images_per_second(device, threads, form),
        )
        for threads in counts
        for form in formats
    ]
    threads, slots, form = choose(rates, cores, psutil.virtual_memory().available, device)
    workers = None
    if device == "cuda":
        workers = torch.cuda.device_count()
        slots = workers * members_on_a_gpu()
    small = watts = resident = None
    if device == "cpu":
        with Joules() as spent:
            small = miniature(
                threads,
                form,
                slots,
                max(r.images_per_second for r in rates if r.threads == threads),
            )
        watts, resident = spent.watts, psutil.Process().memory_info().rss
    return Machine(
        cpu=cpu_name(),
        cores=cores,
        device=device,
        torch=torch.__version__,
        threads=threads,
        slots=slots,
        workers=workers,
        memory_format=form,
        rates=tuple(rates),
        timed=now(),
        miniature=small,
        resident=resident,
        watts=watts,
    )


def choose(
    rates: list[Rate], cores: int, num_bytes: int, device: Device
) -> tuple[int, int, MemoryFormat]:
    """The threads of each trial, trials at a time and memory format with the highest total speed.

    Trials with one thread each are assumed not to slow each other down; trials with all threads run one
    after the other. An accelerator runs one trial at a time; `members_on_a_gpu` finds how many a GPU
    runs.
    """
    room = max(1, num_bytes // MEMORY_A_TRIAL)

    def slots(rate: Rate) -> int:
        return 1 if device != "cpu" else max(1, min(cores // rate.threads, room))

    best = max(rates, key=lambda rate: rate.images_per_second * slots(rate))
    # Where memory is short the cores that no trial of its own can use help the others.
    together = slots(best)
    return max(best.threads, cores // together), together, best.memory_format


def members_on_a_gpu() -> int:
    """The number of trials of the laptop network after which more of them on one GPU do not pay.

    Larger trials need more memory. One for which the others leave too little runs again later.
    """
    from simclr_core.config import check
    from simclr_core.data import load
    from simclr_core.runtime import Execution
    from simclr_core.training import SideBySide, members_that_pay

    config = check({**LAPTOP, "batch_size": GPU_BATCH, "epochs": 1})
    dataset = load(config.data, cache=None)
    together = SideBySide(dataset, Execution(device="cuda"))
    found = members_that_pay(together.rates(config, GPU_ROUNDS))
    together.let_go()  # this process stays, next to the workers
    return max(1, found)


def images_per_second(
    device: Device,
    threads: int,
    memory_format: MemoryFormat,
    precision: Literal["fp32", "bf16"] = "fp32",
) -> float:
    """Steps of the laptop network (on an accelerator a ResNet-18) on random views, in this process."""
    import torch

    from simclr_core.losses import NTXent
    from simclr_core.networks import MlpHead, ResNet
    from simclr_core.optim import AdamW

    form = torch.channels_last if memory_format == "channels_last" else torch.contiguous_format
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        encoder = (
            ResNet(blocks=(1, 1, 1), width=0.25, stem="small")
            if device == "cpu"
            else ResNet(depth=18, stem="cifar")
        )
        network = torch.nn.Sequential(
            encoder.build(0), MlpHead(output=64).build(encoder.num_features, 0)
        )
        network = network.to(device).to(memory_format=form)
        optimizer, loss = AdamW().build(network), NTXent(temperature=0.5)
        generator = torch.Generator().manual_seed(0)
        views = torch.rand((2 * BATCH, 3, 32, 32), generator=generator)
        views = views.to(device=device, memory_format=form)
        seconds: list[float] = []
        for _ in range(1 + STEPS):
            began = time.perf_counter()
            optimizer.zero_grad()
            with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
                embedded = network(views)
            loss(embedded.float()).backward()
            optimizer.step()
            if device == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - began)
        return BATCH / median(seconds[1:])
    finally:
        torch.set_num_threads(before)
