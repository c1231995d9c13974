"""`new`: a study to start from, in the current folder."""

import re
from contextlib import suppress
from pathlib import Path

from ablations.commands.terminal import console
from ablations.errors import UsageError
from ablations.study import Study, shipped
from sweeps.suggest import did_you_mean

TEMPLATES = Path(__file__).parents[1] / "templates"

PLACEHOLDER = "NAME"
"""In a template: the study's name."""


_FIRST = {
    "own-images": "first: put one folder of images for each class into images/, or change the paths in it"
}
"""Template -> what to do before the next command."""


def templates() -> tuple[str, ...]:
    """The names of the templates."""
    return tuple(sorted(path.stem for path in TEMPLATES.glob("*.yaml")))


def new_study(name: str, template: str) -> None:
    """Writes NAME.yaml, and NAME.py if the template has code; says what to do next.

    Raises:
        UsageError: the name or the template cannot be used, or a file exists; nothing is written.
    """
    sentences = [*_unfit(name)]
    if template not in templates():
        known = templates()
        sentences.append(f"--template: no template {template!r}{did_you_mean(template, known)}")
    if sentences:
        raise UsageError(*sentences)
    files = {Path(f"{name}{path.suffix}"): path for path in sorted(TEMPLATES.glob(f"{template}.*"))}
    written: list[Path] = []
    for target, source in files.items():
        try:
            with target.open("x", encoding="utf-8") as file:
                file.write(source.read_text(encoding="utf-8").replace(PLACEHOLDER, name))
        except OSError as error:
            begun = [] if isinstance(error, FileExistsError) else [target]
            for made in [*written, *begun]:
                with suppress(OSError):
                    made.unlink()
            raise UsageError(_unwritten(target, error)) from error
        written.append(target)
    out = console()
    out.print(f"wrote {' and '.join(str(target) for target in files)}")
    if template in _FIRST:
        out.print(_FIRST[template], soft_wrap=True)
    out.print(f"next: ablate plan {name}.yaml --scale smoke", soft_wrap=True)


def _unfit(name: str) -> list[str]:
    rule = next(
        one.pattern for one in Study.model_fields["name"].metadata if hasattr(one, "pattern")
    )
    if not re.fullmatch(rule, name):
        return [f"new: a name must match {rule}, got {name!r}; use letters a-z, digits and hyphens"]
    if name in shipped():
        return [f"new: {name!r} is the name of a shipped study; choose another name"]
    return []


def _unwritten(target: Path, error: OSError) -> str:
    if isinstance(error, FileExistsError):
        return f"{target} exists and is not overwritten; choose another name, or move the file away"
    return f"{target} cannot be written ({error.strerror}); use a folder that you may write to"
