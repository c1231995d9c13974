"""The output of `doctor`: a description of this machine, its timing, and what is missing."""

import shutil
import sys
from pathlib import Path

from ablations import machine_profile
from ablations.commands.output import print_json, size, threads
from ablations.commands.terminal import console
from sweeps.storage import Store

LEAST_FREE = 2_000_000_000
"""Bytes of free disk space below which a study may fail."""


def examine(path: Path, data: Path | None, *, save: bool = False, as_json: bool) -> None:
    """Prints the facts of this machine, and measures its speed if no profile is saved.

    Writes nothing, unless the measurement is to be saved in the store.
    """
    import psutil

    from simclr_core.runtime import resolve_device
    from sweeps.provenance import collect

    device = resolve_device("auto")
    saved = machine_profile.known(path / "machine.json")
    if saved is not None and saved.is_of_here(device):
        timed = saved
    else:
        if not as_json:
            console().print("timing this machine: some seconds, longer if it is busy")
        timed = machine_profile.measure(device)
    if save and timed is not saved:
        store = Store(path)
        store.refuse_foreign()
        store.prepare()
        machine_profile.keep(timed, store.machine)
        saved = timed
    gain = bf16_gain(timed)
    missing = problems(path, data, device)
    if as_json:
        print_json(
            {
                **collect(packages=("torch", "ray", "mlflow")),
                "timing": timed.model_dump(mode="json"),
                "timing_saved": timed is saved,
                "bf16_gain": gain,
                "missing": missing,
            }
        )
        return
    out = console()
    out.print(
        f"machine: {timed.cpu}, {timed.cores} cores, {size(psutil.virtual_memory().total)} memory"
    )
    out.print(f"python {sys.version.split()[0]}, torch {timed.torch}, device {device}")
    source = (
        f"saved in {path / 'machine.json'}"
        if timed is saved
        else "measured just now; --save keeps it for `ablate plan`"
    )
    out.print(f"timing of {timed.timed} ({source}), images per second in one process:")
    for rate in timed.rates:
        form = rate.memory_format.replace("_", " ")
        out.print(f"  {threads(rate.threads)}, {form}: {rate.images_per_second:,.0f}")
    out.print(
        f"result: {timed.slots} trials at a time with {threads(timed.threads)} each, "
        f"{timed.memory_format.replace('_', ' ')}"
        f"{'' if timed.workers is None else f', {-(-timed.slots // timed.workers)} on each GPU'}"
    )
    out.print(f"bf16: {gain_text(gain, device)}")
    for sentence in missing or ["nothing is missing"]:
        out.print(f"missing: {sentence}" if missing else sentence)


def bf16_gain(timed: machine_profile.Machine) -> float:
    """How many times faster bf16 is than fp32 here, in the setting that trials use."""
    fp32 = machine_profile.images_per_second(timed.device, timed.threads, timed.memory_format)
    bf16 = machine_profile.images_per_second(
        timed.device, timed.threads, timed.memory_format, "bf16"
    )
    return bf16 / fp32


def gain_text(gain: float, device: machine_profile.Device) -> str:
    """The gain of bf16 and the recommended precision, in words."""
    much = f"{gain:.2f} times the speed of fp32 here"
    if device == "cuda":
        return f"{much}; bf16 is the default on cuda"
    if gain > 1.1:
        return f"{much}; --set precision=bf16 selects it; such trials have different keys"
    return f"{much}; fp32 is the better choice"


def problems(path: Path, data: Path | None, device: machine_profile.Device) -> list[str]:
    """One message for each thing that is missing or will run out."""
    from simclr_core.data import data_at
    from simclr_core.errors import DataError

    sentences: list[str] = []
    home = next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())
    free = shutil.disk_usage(home).free
    if free < LEAST_FREE:
        sentences.append(
            f"disk: {size(free)} free at {home}; free some space or name another --store"
        )
    if device == "cpu":
        sentences.append(
            "GPU: none on this machine, so the gpu and paper scales would take days or longer"
        )
    if data is None:
        sentences.append(
            "data: no images were given with --data; textures need none, the gpu and paper scales "
            "need images"
        )
    else:
        try:
            data_at(data)
        except DataError as error:
            sentences.append(f"data: {error}")
    return sentences
