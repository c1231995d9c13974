"""`conform`: checks a user's loss or views, read from a Python file, against the laws."""

import inspect
import sys
import traceback
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ablations.commands.output import plain_table, print_json
from ablations.commands.terminal import console, say
from ablations.errors import UsageError
from simclr_core.conformance import Finding, examine_loss, examine_views

ARGUMENTS = {"loss": ("z1", "z2", "temperature"), "views": ("images", "seed")}
"""The functions that a file may define, with the arguments of each."""

_CONTRACT = (
    "the file must define loss(z1, z2, temperature), views(images, seed) or both; "
    "ablations/README.md describes their arguments and results"
)


def conform(file: Path, *, as_json: bool) -> int:
    """Executes the file, examines its functions and prints one row per law; returns 1 if a law is broken.

    Raises:
        UsageError: no such file, invalid Python, an error while it is executed, nothing to examine.
    """
    say(f"this command executes {file}")
    with _executed(file) as names:
        found = _examined(file, names)
    broken = sum(one.verdict == "fails" for findings in found.values() for one in findings)
    if as_json:
        rows = {name: [one._asdict() for one in findings] for name, findings in found.items()}
        print_json({"file": str(file), "broken": broken, **rows})
    else:
        for name, findings in found.items():
            _show(name, findings)
    return 1 if broken else 0


def _examined(file: Path, names: dict[str, Any]) -> dict[str, tuple[Finding, ...]]:
    functions = {name: names[name] for name in ARGUMENTS if name in names}
    sentences = [
        sentence for name, one in functions.items() for sentence in _unfit(file, name, one)
    ]
    size = names.get("size", 32)
    if "views" in functions and not (type(size) is int and 8 <= size <= 1024):
        sentences.append(f"{file}: size: must be the images' side in px, 8 to 1024, got {size!r}")
    if not functions:
        sentences.append(f"{file}: defines neither loss nor views; {_CONTRACT}")
    if sentences:
        raise UsageError(*sentences)
    found: dict[str, tuple[Finding, ...]] = {}
    if "loss" in functions:
        found["loss"] = examine_loss(functions["loss"])
    if "views" in functions:
        found["views"] = examine_views(functions["views"], size=size)
    return found


def _unfit(file: Path, name: str, function: Any) -> Generator[str]:
    if not callable(function):
        yield f"{file}: {name}: must be a function, got {type(function).__name__}; {_CONTRACT}"
        return
    arguments = ARGUMENTS[name]
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError as error:
        wanted = f"{name}({', '.join(arguments)})"
        yield f"{file}: {name}: must take {wanted}, got another signature ({error})"
    except ValueError:  # a function of C shows no signature
        return


@contextmanager
def _executed(file: Path) -> Generator[dict[str, Any]]:
    """The names that a file defines; modules in its folder can be imported while it is in use."""
    try:
        code = compile(file.read_bytes(), str(file), "exec")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"{file} cannot be read ({reason}); {_CONTRACT}") from error
    except SyntaxError as error:
        raise UsageError(f"{file}:{error.lineno}: is not valid Python: {error.msg}") from error
    except ValueError as error:
        raise UsageError(f"{file}: is not valid Python: {error}") from error
    names: dict[str, Any] = {"__name__": file.stem, "__file__": str(file)}
    folder = str(file.absolute().parent)
    sys.path.insert(0, folder)
    try:
        _run(code, names, file)
        yield names
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def _run(code: Any, names: dict[str, Any], file: Path) -> None:
    try:
        exec(code, names)  # noqa: S102 -- what the command is for, and says
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(file)]
        text = (str(error).strip().splitlines() or ["without a text"])[0]
        place = f"{file}:{lines[-1]}" if lines else str(file)
        raise UsageError(
            f"{place}: raises {type(error).__name__} while it is executed: {text[:160]}; fix the file"
        ) from error


_ENDS = {
    "loss": "embeddings from fixed seeds, 2 to 13 images; the result is the same each time",
    "views": "seeds 0 to 7; laws about proportions have a false-alarm rate of 1e-6",
}


def _show(name: str, findings: Sequence[Finding]) -> None:
    out = console()
    table = plain_table(f"law of the {name}", "result", "counter-example or observation")
    for one in findings:
        result = one.verdict.upper() if one.verdict == "fails" else one.verdict
        table.add_row(one.law, result, one.text)
    out.print(table)
    counts = {verdict: sum(one.verdict == verdict for one in findings) for verdict in _WORDS}
    counted = ", ".join(f"{num} {_WORDS[verdict]}" for verdict, num in counts.items() if num)
    out.print(f"{len(findings)} laws of the {name}: {counted}; {_ENDS[name]}")


_WORDS = {
    "holds": "hold",
    "fails": "broken",
    "differs": "holds in another published form",
    "noted": "either way",
    "not measured": "not measured",
}
