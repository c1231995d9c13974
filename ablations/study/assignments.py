"""Settings of a configuration by dotted field, each with the place where it was written."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ablations.errors import StudyError, UsageError
from sweeps.errors import PlanError
from sweeps.planning import apply, put


class Setting(NamedTuple):
    """One value for one field, from one place."""

    field: str
    """Dotted, from the configuration's top; a number is a place in a list."""
    value: Any
    place: str
    """Such as `mine.yaml:12` or `--set`."""


def written(values: Mapping[str, Any], place: Callable[[str], str]) -> list[Setting]:
    """The settings of a mapping; a value without a kind refines what stands there, field by field.

    `place` gives the place of each of the mapping's own keys.
    """
    return [
        Setting(field, inner, place(key))
        for key, value in values.items()
        for field, inner in _expanded(key, value)
    ]


def _expanded(field: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value and "kind" not in value:
        for name, inner in value.items():
            yield from _expanded(f"{field}.{name}", inner)
    else:
        yield field, value


def applied(defaults: Mapping[str, Any], settings: Iterable[Setting]) -> dict[str, Any]:
    """The defaults with the settings over them, in order: later ones win.

    Raises:
        StudyError: a field leads nowhere; one sentence each.
    """
    result = apply(defaults, {})
    sentences: list[str] = []
    for setting in settings:
        try:
            put(result, setting.field, setting.value)
        except PlanError as error:
            sentences.append(f"{setting.place}: {setting.field}: {error}")
    if sentences:
        raise StudyError(*sentences)
    return result


def overlap(first: str, second: str) -> bool:
    """Whether one field is the other or lies inside it."""
    return first == second or first.startswith(f"{second}.") or second.startswith(f"{first}.")


def origin(field: str, settings: Iterable[Setting]) -> Setting | None:
    """The setting that a field's value comes from: the last one that is it, holds it or lies in it."""
    found: Setting | None = None
    for setting in settings:
        if overlap(field, setting.field):
            found = setting
    return found


def parse_assignment(text: str) -> Setting:
    """`field=value` from the command line; the value is read as YAML, as in a study file.

    Raises:
        UsageError: the text is no assignment of a plain value.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    field, sign, written = text.partition("=")
    field = field.strip()
    if not sign or not field or not written.strip():
        raise UsageError(
            f"--set: takes field=value, got {text!r}; for example --set encoder.width=0.5"
        )
    try:
        value: object = YAML(typ="safe", pure=True).load(written)
    except (YAMLError, ValueError) as error:
        raise UsageError(
            f"--set: {field}: the value is to be YAML, got {written!r}; put texts in quotes"
        ) from error
    if not isinstance(value, str | int | float | bool | list | dict | None):
        raise UsageError(
            f"--set: {field}: the value is to be plain YAML, got {written!r}; put it in quotes"
        )
    if field == "seed" or (field == "seeds" and not isinstance(value, dict)):
        raise UsageError(
            f"--set: {field}: each trial has its own; name them with --seeds, or fix one source of "
            "chance with seeds.initialisation, seeds.order or seeds.views"
        )
    return Setting(field, value, "--set")
