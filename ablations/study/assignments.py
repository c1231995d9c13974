"""Settings of a configuration by dotted field, each with the place where it was written."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ablations.errors import UsageError
from ablations.study.yaml_file import Location, YamlFile
from sweeps.planning import overlap

Inner = tuple[str, ...]
"""The path to a value inside a setting's value; numbers index lists."""


class Setting(NamedTuple):
    """One value for one field, from one place."""

    field: str
    """Dotted, from the top of the configuration; a number indexes a list."""
    value: Any
    place: str
    """Such as `mine.yaml:12` or `--set`."""
    lines: Callable[[Inner], str] | None = None
    """The place of each inner value, where the value spans several lines."""

    def place_of(self, field: str) -> str:
        """The place of a field that is this one or lies inside it."""
        if self.lines is None or not field.startswith(f"{self.field}."):
            return self.place
        return self.lines(tuple(field.removeprefix(f"{self.field}.").split(".")))

    def parts(self) -> "list[Setting]":
        """One setting for each field that a mapping without a `kind` refines."""
        found = expanded(self.value)
        return [Setting(".".join((self.field, *at)), leaf, self.place) for at, leaf in found]


def settings_in(values: Mapping[str, Any], file: YamlFile, at: Location) -> list[Setting]:
    """The settings of a mapping of a file; a value without a `kind` gives one for each of its fields."""
    return [
        one for key, value in values.items() for one in setting_at(key, value, file, (*at, key))
    ]


def setting_at(field: str, value: Any, file: YamlFile, at: Location) -> Iterator[Setting]:
    """The settings of one field of a file."""
    for inner, leaf in expanded(value):
        here = file.inside(at, inner)

        def lines(deeper: Inner, here: Location = here) -> str:
            return file.place(file.inside(here, deeper))

        yield Setting(".".join((field, *inner)), leaf, file.place(here), lines)


def expanded(value: Any, path: Inner = ()) -> Iterator[tuple[Inner, Any]]:
    """The fields that a value sets: a mapping without a `kind` refines, any other value replaces."""
    if isinstance(value, dict) and value and "kind" not in value:
        for name, inner in value.items():
            yield from expanded(inner, (*path, *str(name).split(".")))
    else:
        yield path, value


def origin(field: str, settings: Iterable[Setting]) -> Setting | None:
    """The setting that a field's value comes from: the last that is it, contains it or lies in it."""
    found: Setting | None = None
    for setting in settings:
        if overlap(field, setting.field):
            found = setting
    return found


def parse_assignment(text: str) -> Setting:
    """`field=value` from the command line; the value is read as YAML, as in a study file.

    Raises:
        UsageError: the text does not assign a plain value.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    field, sign, written = text.partition("=")
    field = field.strip()
    if not sign or not field or not written.strip():
        raise UsageError(
            f"--set: must be field=value, got {text!r}; for example --set encoder.width=0.5"
        )
    try:
        value: object = YAML(typ="safe", pure=True).load(written)
    except (YAMLError, ValueError) as error:
        raise UsageError(
            f"--set: {field}: the value must be YAML, got {written!r}; quote strings"
        ) from error
    if not isinstance(value, str | int | float | bool | list | dict | None):
        raise UsageError(
            f"--set: {field}: the value must be plain YAML, got {written!r}; put it in quotes"
        )
    if field == "seed" or (field == "seeds" and not isinstance(value, dict)):
        raise UsageError(
            f"--set: {field}: each trial sets this field; choose seeds with --seeds, or fix one "
            "source of randomness with seeds.initialisation, seeds.order or seeds.views"
        )
    return Setting(field, value, "--set")
