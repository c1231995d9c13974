"""`export`: a trial's encoder as a file that other programs load, with a description in JSON."""

import errno
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch

from ablations.commands.terminal import console
from ablations.commands.trial_keys import existing_store, key_in
from ablations.compose import ENCODER
from ablations.errors import UsageError
from ablations.trial import UNREADABLE, WEIGHTS
from simclr_core.config import Config, in_present_names
from simclr_core.evaluation import state_hash
from simclr_core.networks import Encoder
from sweeps.record import TrialRecord
from sweeps.storage import Store, write_new

_STATED = "from a single trial with one seed: no interval, no claim"
_IMAGES = "RGB in [0, 1], not normalised by a mean or standard deviation"


def export_encoder(path: Path, prefix: str, to: Path | None) -> None:
    """Writes the encoder of a finished trial and prints the lines that load it.

    Existing files are never replaced, and no partly written file remains.

    Raises:
        UsageError: no trial or several trials match, the trial has not finished, the weights were not
            saved or are not those that were measured, or the destination exists or cannot be written.
    """
    store = existing_store(path)
    record, weights = measured(store, key_in(store, prefix))
    target = Path(f"encoder-{record.key[:12]}.pt") if to is None else to
    about = target.with_name(f"{target.name}.json")
    config = exportable(record)
    lines = loading_lines(config.encoder, str(target), config.data.size)
    _write_new({target: weights, about: about_encoder(record, config, weights, lines).encode()})
    out = console()
    for line in (
        f"encoder: {target} ({described(record, config)})",
        f"about it: {about}",
        f"images: {images_of(config)}",
        *([] if "import torchvision" in lines else [f"torchvision: {_NONE}; simclr_core does:"]),
        *lines,
    ):
        out.print(line, soft_wrap=True)  # a line that breaks in two cannot be pasted


def exportable(record: TrialRecord) -> Config:
    """The configuration of a trial; UsageError if its encoder has no weights."""
    config = Config.model_validate(in_present_names(record.config))
    if not config.encoder.trains:
        raise UsageError(
            f"trial {record.key} evaluates raw pixels, so it has no weights to export; choose "
            "another trial"
        )
    return config


def described(record: TrialRecord, config: Config) -> str:
    """Study, cell, seed and accuracy of a trial, with the target and layer unless classes from h."""
    target, layer = config.evaluation.target.kind, config.evaluation.layer
    of = "" if (target, layer) == ("classes", "h") else f"of {target} from {layer} "
    top1 = record.values.get("top1")
    shown = "no top-1" if top1 is None else f"top-1 {of}{top1:.1f} %, one trial, no interval"
    return f"{record.label}, {record.cell}, seed {record.seed}; {shown}"


def images_of(config: Config) -> str:
    """What the encoder takes."""
    return f"{_IMAGES}, {config.data.size} px a side"


_NONE = "builds no such network (only ResNets of width 1)"


def loading_lines(encoder: Encoder, file: str, size: int) -> tuple[str, ...]:
    """Python code that builds the network and loads the file."""
    load = f"model.load_state_dict(torch.load({file!r}, weights_only=True))"
    return ("import torch", *encoder.building_lines(size), load, "model.eval()")


def measured(store: Store, key: str) -> tuple[TrialRecord, bytes]:
    """The latest finished record whose numbers were measured on the stored weights, and these.

    Raises:
        UsageError: the trial has not finished, or its weights are missing, unreadable or others.
    """
    attempts = list(store.records([key]))
    finished = [one for one in attempts if one.state == "finished"]
    if not finished:
        failed = attempts[-1]
        raise UsageError(
            f"trial {key} ({failed.cell}, seed {failed.seed}) failed: {failed.error}; run it again with"
            " `ablate run STUDY --failed`"
        )
    last = finished[-1]
    stages = {stage.name: stage.key for stage in last.stages}
    file = store.artifact(ENCODER, stages[ENCODER]) / WEIGHTS
    again = "run its study with --again --keep last"
    try:
        weights = file.read_bytes()
        state = torch.load(io.BytesIO(weights), map_location="cpu", weights_only=True)
        config = Config.model_validate(in_present_names(last.config))
        network = config.encoder.outline(config.data.size)
        if network is not None:  # a user's file is not executed here
            network.load_state_dict(state, assign=True)
    except FileNotFoundError as error:
        raise UsageError(
            f"the store has no weights of trial {key}: it ran with --keep none, or they were "
            f"removed; {again}"
        ) from error
    except UNREADABLE as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(f"{file} cannot be read ({first[:120]}); {again}") from error
    found = state_hash(state)
    for record in reversed(finished):
        if record.facts.get("encoder_hash_after", found) == found:
            return record, weights
    raise UsageError(
        f"{file} is not the encoder that trial {key} measured (its hash is {found[:12]}, the"
        f" record's {last.facts['encoder_hash_after'][:12]}); {again}"
    )


def about_encoder(record: TrialRecord, config: Config, weights: bytes, lines: Iterable[str]) -> str:
    """The description of an encoder as JSON; `lines` load it."""
    about = {
        "key": record.key,
        "attempt": record.attempt,
        "study": record.study,
        "scale": record.scale,
        "variation": record.variation,
        "cell": record.cell,
        "role": record.role,
        "levels": record.levels,
        "seed": record.seed,
        "values": record.values,
        "n": 1,
        "values are": _STATED,
        "sha256": hashlib.sha256(weights).hexdigest(),
        "images": f"{_IMAGES}; probes saw centre squares of {config.data.size} px",
        "features": config.encoder.num_features,
        "load": list(lines),
        "stages": {stage.name: stage.key for stage in record.stages},
        "data": record.facts.get("data"),
        "config": record.config,
        "provenance": record.provenance,
    }
    return json.dumps(about, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _write_new(files: Mapping[Path, bytes]) -> None:
    """Writes all files under unused names, or none of them."""
    for path in files:
        if path.exists() or path.is_symlink():
            raise UsageError(f"--to: {path} exists; remove it or name another file with --to")
    made: list[Path] = []
    try:
        for path, content in files.items():
            write_new(path, content)
            made.append(path)
    except OSError as error:
        for path in made:
            path.unlink(missing_ok=True)
        raise UsageError(f"--to: {_why(error, list(files)[len(made)])}") from error


def _why(error: OSError, path: Path) -> str:
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return f"there is no folder {path.parent}; create it, or name another file"
    if error.errno == errno.EEXIST:
        return f"{path} was created in the meantime; name another file"
    reason = error.strerror or type(error).__name__
    return f"{path} cannot be written ({reason}); fix this or name another file"
