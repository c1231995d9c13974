"""A YAML file as plain values and the line on which each of them was written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from ablations.errors import StudyError

Location = tuple[str | int, ...]
"""The way to a value: the keys and indices that lead to it."""

LARGEST = 1_000_000
"""In bytes; a study file of this size is no study file."""


class YamlFile(NamedTuple):
    """What a file says, and where it says it."""

    path: Path
    """As the user named it."""
    text: str
    """The whole file."""
    content: dict[str, Any]
    """Plain dictionaries, lists, texts and numbers."""
    lines: dict[Location, int]
    """The line (from 1) of each key and item."""

    def line(self, location: Location) -> int:
        """The line of a value, or of the nearest thing around it that was written down."""
        while location not in self.lines and location:
            location = location[:-1]
        return self.lines.get(location, 1)

    def place(self, location: Location) -> str:
        """`file:line` of a value."""
        return f"{self.path}:{self.line(location)}"


def read_yaml(path: Path) -> YamlFile:
    """Read one YAML 1.2 document whose top is a mapping; tags and repeated keys are refused.

    Raises:
        StudyError: the file cannot be read, with its place and the way out in one sentence.
    """
    text = _text(path)
    try:
        _refuse_tags(path, text)
        documents = list(YAML(typ="rt").load_all(text))
    except DuplicateKeyError as error:
        raise StudyError(_repeated(path, error)) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = " ".join((error.problem or error.context or "cannot be read").split())
        problem = problem.replace("'<stream end>'", "the end of the file")
        raise StudyError(
            f"{path}:{line}: the file is not whole YAML: {problem}; mend or restore this line"
        ) from error
    except (YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise StudyError(f"{path}:1: the file is not YAML: {reason}; write it anew") from error
    if len(documents) > 1:
        raise StudyError(f"{path}:1: a study file holds one document, got {len(documents)}")
    if not isinstance(documents[0], CommentedMap):
        kind = "a list" if isinstance(documents[0], CommentedSeq) else "a single value"
        raise StudyError(
            f"{path}:1: a study file is a mapping that begins with name:, got {kind}; "
            f"`ablate show quickstart` prints one to start from"
        )
    lines: dict[Location, int] = {}
    content = _plain(path, documents[0], (), lines)
    return YamlFile(path, text, content, lines)


def _text(path: Path) -> str:
    try:
        if path.is_dir():
            raise StudyError(f"{path}: a study is a YAML file, got a folder; name the file in it")
        data = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StudyError(f"{path}: the study file cannot be read: {reason}") from error
    if len(data) > LARGEST:
        raise StudyError(f"{path}: a study file has at most {LARGEST} bytes, got {len(data)}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise StudyError(
            f"{path}:{line}: a study file is text in UTF-8, got the byte "
            f"0x{data[error.start]:02x}; is this the right file?"
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise StudyError(f"{path}:{line}: a study file is text, got a zero byte; is it binary?")
    if not any(line.strip() and not line.strip().startswith("#") for line in text.splitlines()):
        raise StudyError(
            f"{path}:1: the study file is empty; `ablate show quickstart` prints one to start from"
        )
    return text


def _refuse_tags(path: Path, text: str) -> None:
    # A look at the events first: the round-trip loader would quietly resolve tags like !!str.
    depth = 0
    for event in YAML(typ="rt").parse(text):
        tag = getattr(event, "tag", None)
        name = type(event).__name__
        depth += name in ("MappingStartEvent", "SequenceStartEvent")
        depth -= name in ("MappingEndEvent", "SequenceEndEvent")
        line = event.start_mark.line + 1
        if tag is not None:
            raise StudyError(
                f"{path}:{line}: tags are not allowed, got {str(tag)!r}; write the plain value"
            )
        if name == "ScalarEvent" and event.value == "<<":
            raise StudyError(f"{path}:{line}: merging with << is not allowed; write the fields out")
        if name == "AliasEvent":
            raise StudyError(
                f"{path}:{line}: aliases are not allowed, got *{event.anchor}; write the value out"
            )
        if depth > 40:
            raise StudyError(f"{path}:{line}: values are nested at most 40 deep; make it flatter")


def _repeated(path: Path, error: DuplicateKeyError) -> str:
    words = str(error.problem).split('"')
    key = words[1] if len(words) > 1 else "a key"
    second = error.problem_mark.line + 1 if error.problem_mark else 1
    first = _first_line(path, key, error)
    also = f"line {first} and line {second}" if first != second else f"line {second} twice"
    return f"{path}:{second}: {key}: a key stands once in its mapping, got it on {also}; keep one"


def _first_line(path: Path, key: str, error: DuplicateKeyError) -> int:
    # The error knows where the mapping begins; the key's first appearance at its depth follows.
    start = error.context_mark.line if error.context_mark else 0
    second = error.problem_mark.line if error.problem_mark else start
    column = error.problem_mark.column if error.problem_mark else 0
    rows = _text(path).splitlines()
    for number in range(start, second):
        row = rows[number]
        for quoted in (key, f'"{key}"', f"'{key}'"):
            if row[column:].startswith(quoted + ":"):
                return number + 1
    return start + 1


def _plain(path: Path, value: Any, here: Location, lines: dict[Location, int]) -> Any:
    match value:
        case CommentedMap():
            return dict(_mapping(path, value, here, lines))
        case CommentedSeq():
            items: list[Any] = []
            for index, item in enumerate(value):
                lines[(*here, index)] = value.lc.item(index)[0] + 1
                items.append(_plain(path, item, (*here, index), lines))
            return items
        case bool() | None:
            return value
        case int():
            return int(value)
        case float():
            return float(value)
        case str():
            return str(value)
        case _ if type(value).__name__ == "ScalarBoolean":
            return bool(value)
        case _:
            line = max((n for at, n in lines.items() if here[: len(at)] == at), default=1)
            raise StudyError(
                f"{path}:{line}: a value is a text, a number, true, false, null, a list or a "
                f"mapping, got {str(value)!r} ({type(value).__name__}); put it in quotes"
            )


def _mapping(
    path: Path, mapping: CommentedMap, here: Location, lines: dict[Location, int]
) -> Iterator[tuple[str, Any]]:
    seen: dict[str, int] = {}
    for key, item in mapping.items():
        line = mapping.lc.key(key)[0] + 1
        if isinstance(key, CommentedMap | CommentedSeq | tuple) or key is None:
            raise StudyError(f"{path}:{line}: a key is a text or a number, got {key!r}")
        # Levels are named in a mapping: 256 and 0.5 are good names for them.
        name = str(key).lower() if isinstance(key, bool) else str(key)
        if name in seen:
            raise StudyError(
                f"{path}:{line}: {name}: a key stands once in its mapping, got it on "
                f"line {seen[name]} and line {line}; keep one"
            )
        seen[name] = line
        lines[(*here, name)] = line
        yield name, _plain(path, item, (*here, name), lines)
