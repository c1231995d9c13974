"""The file of the current folder that gives options their defaults."""

import json
from pathlib import Path
from typing import Any

from ablations.errors import UsageError

DEFAULTS_FILE = "ablate.toml"
"""In the current folder: `name = value` lines for the options of DEFAULTS."""

DEFAULTS = ("scale", "seeds", "set", "data", "store", "device", "tracking", "keep")
"""The settings that ablate.toml may contain; each is the option of that name."""


def by_command(group: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Defaults for each command of a group that has the option, and for the groups in it."""
    return {
        name: by_command(command, given)
        if hasattr(command, "commands")
        else {p.name: given[p.name] for p in command.params if p.name in given}
        for name, command in group.commands.items()
    }


def defaults(folder: Path) -> dict[str, Any]:
    """The defaults that a folder's ablate.toml gives, by parameter; empty where there is none.

    Raises:
        UsageError: the file cannot be used; one message for each mistake.
    """
    import tomllib

    from sweeps.suggest import did_you_mean

    path = folder / DEFAULTS_FILE
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UsageError(
            f"{DEFAULTS_FILE} cannot be read ({error.strerror}); fix its permissions"
        ) from error
    except ValueError as error:
        raise UsageError(f"{DEFAULTS_FILE} is not valid TOML: {error}; fix this line") from error
    sentences: list[str] = []
    result: dict[str, Any] = {}
    for name, value in found.items():
        if name not in DEFAULTS:
            sentences.append(
                f"{DEFAULTS_FILE}: {name}: no such option{did_you_mean(name, DEFAULTS)}"
            )
        elif name == "set":
            if isinstance(value, dict):
                result[name] = [f"{field}={json.dumps(inner)}" for field, inner in value.items()]
            else:
                sentences.append(
                    f"{DEFAULTS_FILE}: set: must be a table of fields, got {value!r}; write "
                    f'[set] and, below it, "encoder.width" = 0.5'
                )
        elif isinstance(value, bool) or not isinstance(value, str | int):
            sentences.append(
                f"{DEFAULTS_FILE}: {name}: must be a string, got {value!r}; put it in quotes"
            )
        else:
            result[name] = str(value)
    if sentences:
        raise UsageError(*sentences)
    return result
