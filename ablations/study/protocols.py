"""Protocols: named presets of network, data, optimiser and schedule that studies build on."""

from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, ValidationError

from ablations.errors import StudyError
from ablations.study.messages import validation_messages
from ablations.study.paths import next_to
from ablations.study.yaml_file import Location, YamlFile, read_yaml
from sweeps.base import Frozen
from sweeps.suggest import did_you_mean

PROTOCOLS = Path(__file__).parents[1] / "studies" / "protocols"

INHERITED = {"kind": "protocol"}
"""In a list of operations: the operations set so far, by the protocol or else by the paper."""


class Preset(Frozen):
    """Values for fields, and defaults of operations."""

    set: dict[str, Any] = Field(default_factory=dict, examples=[{"batch_size": 256, "epochs": 10}])
    """Field of the configuration -> value."""

    operations: dict[str, dict[str, Any]] = Field(
        default_factory=dict, examples=[{"colour": {"strength": 0.5}}]
    )
    """Kind of an operation -> values of the fields that an operation of this kind leaves out."""


class Protocol(Preset):
    """A preset, and its changes for the user's own images. A study's values override it."""

    with_data: Preset = Preset()
    """Applies if `--data` supplies the images; `data.` fields refine these images."""


class LoadedProtocol(NamedTuple):
    """A protocol and its file."""

    protocol: Protocol
    file: YamlFile


def read_protocol(name: str, at: Location, study: YamlFile) -> LoadedProtocol:
    """The shipped protocol of a name, or the YAML file of that path relative to the study's file.

    Raises:
        StudyError: there is no such protocol, or its file has mistakes.
    """
    own = name.endswith((".yaml", ".yml"))
    path = next_to(name, study.path.parent) if own else PROTOCOLS / f"{name}.yaml"
    if not path.is_file():
        known = sorted(one.stem for one in PROTOCOLS.glob("*.yaml"))
        near = did_you_mean(name, known).removesuffix("?")
        raise StudyError(
            f"{study.place(at)}: {'.'.join(map(str, at))}: no protocol {name!r}{near}; if it is a "
            "file, include its .yaml suffix"
        )
    file = read_yaml(path)
    if not own:
        file = file._replace(path=Path(path.parent.name) / path.name)
    try:
        return LoadedProtocol(Protocol.model_validate(file.content), file)
    except ValidationError as error:
        raise StudyError(*validation_messages(error, Protocol, file)) from error
