"""A YAML file as plain values and the line on which each of them was written."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.reader import ReaderError

from ablations.errors import StudyError
from sweeps.file_kinds import not_a_file

Location = tuple[str | int, ...]
"""The path to a value: the keys and indices that lead to it."""

LARGEST = 1_000_000
"""In bytes; no study file is that large."""

MOST_VALUES = 40_000
"""Keys, items and values of a file, aliases expanded."""

DEEPEST = 40
"""Nested mappings and lists, aliases expanded."""

FLAT = (bool, int, float, str, type(None))


class YamlFile(NamedTuple):
    """The content of a file, with the line of each value."""

    path: Path
    """The path as the user gave it."""
    text: str
    """The whole file."""
    content: dict[str, Any]
    """Plain dictionaries, lists, texts and numbers."""
    lines: dict[Location, int]
    """The line (from 1) of each key and item."""

    def line(self, location: Location) -> int:
        """The line of a value, or of the closest enclosing value in the file."""
        while location not in self.lines and location:
            location = location[:-1]
        return self.lines.get(location, 1)

    def place(self, location: Location) -> str:
        """`file:line` of a value."""
        return f"{self.path}:{self.line(location)}"

    def inside(self, location: Location, inner: tuple[str, ...]) -> Location:
        """The location of an inner value, whose path has the indices of lists as text."""
        for part in inner:
            index = int(part) if part.isdecimal() else part
            location = (*location, index if (*location, index) in self.lines else part)
        return location


def read_yaml(path: Path) -> YamlFile:
    """Read one YAML 1.2 document whose top is a mapping; tags and repeated keys are refused.

    An alias is a copy of the value at its anchor. The size of the expanded file is bounded, and
    counted before it is built.

    Raises:
        StudyError: the file cannot be read, with its place and the fix in one message.
    """
    text = _text(path)
    try:
        top = _Reader(path, text).document()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = " ".join((error.problem or error.context or "cannot be read").split())
        problem = problem.replace("'<stream end>'", "the end of the file")
        raise StudyError(
            f"{path}:{line}: the YAML is incomplete or invalid: {problem}; fix this line"
        ) from error
    except ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise StudyError(
            f"{path}:{line}: YAML does not allow the character U+{error.character:04X}; remove it"
        ) from error
    except (YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise StudyError(f"{path}:1: the file is not YAML ({reason}); replace it") from error
    if not isinstance(top.value, dict):
        kind = "a list" if isinstance(top.value, list) else "a single value"
        raise StudyError(
            f"{path}:1: a study file must be a mapping that begins with name:, got {kind}; `ablate "
            "show quickstart` prints an example"
        )
    lines: dict[Location, int] = {}
    content = _plain(top, (), lines)
    return YamlFile(path, text, content, lines)


def _text(path: Path) -> str:
    try:
        kind = not_a_file(path)
        if kind == "a folder":
            raise StudyError(
                f"{path}: a study must be a YAML file, got a folder; name the file in it"
            )
        if kind is not None:
            raise StudyError(
                f"{path}: a study must be a YAML file, got {kind}; copy its content into a regular "
                "file"
            )
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StudyError(f"{path}: the study file cannot be read: {reason}") from error
    if len(data) > LARGEST:
        raise StudyError(
            f"{path}: a study file may have at most {LARGEST} bytes, got "
            f"{max(path.stat().st_size, len(data))}; is this the right file?"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise StudyError(
            f"{path}:{line}: a study file must be UTF-8 text, got the byte "
            f"0x{data[error.start]:02x}; is this the right file?"
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise StudyError(
            f"{path}:{line}: a study file must be text, got a zero byte; is it a binary file?"
        )
    if not any(line.strip() and not line.strip().startswith("#") for line in text.splitlines()):
        raise StudyError(
            f"{path}:1: the study file is empty; `ablate show quickstart` prints an example"
        )
    return text


class _Node(NamedTuple):
    """A value as written; an alias is the node of its anchor again."""

    value: "dict[str, tuple[int, _Node]] | list[tuple[int, _Node]] | str | float | bool | None"
    """Of a mapping and a list each member with the line on which it begins."""
    line: int
    size: int
    """Values in it, itself among them."""
    depth: int
    """Mappings and lists inside each other."""


class _Reader:
    """Builds the nodes of one document from its events, and refuses what a study must not contain."""

    def __init__(self, path: Path, text: str) -> None:
        yaml = YAML(typ="safe", pure=True)
        self._path = path
        self._events: Iterator[Event] = iter(yaml.parse(text))
        self._resolver, self._constructor = yaml.resolver, yaml.constructor
        self._anchors: dict[str, _Node | None] = {}
        self._size = 0

    def document(self) -> _Node:
        """The one document of the file."""
        top: _Node | None = None
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                if top is not None:
                    raise StudyError(
                        f"{self._path}:{_line(event)}: a study file must contain a single YAML "
                        "document, but another begins here; use one file for each"
                    )
                if event.version not in (None, (1, 2)) or event.tags:
                    raise StudyError(
                        f"{self._path}:1: directives (%YAML, %TAG) are not allowed; remove them"
                    )
                top = self._node(next(self._events), 0)
        assert top is not None, "a text that is not empty has a document"
        return top

    def _node(self, event: Event, depth: int) -> _Node:
        line = _line(event)
        if isinstance(event, AliasEvent):
            return self._alias(event, depth)
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._refuse(line, f"tags are not allowed, got {str(tag)!r}; write the plain value")
        self._count(line, 1)
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self._anchors[anchor] = None  # incomplete: an alias to it would contain itself
        node = self._scalar(event) if isinstance(event, ScalarEvent) else self._inner(event, depth)
        if anchor is not None:
            self._anchors[anchor] = node
        return node

    def _alias(self, event: AliasEvent, depth: int) -> _Node:
        line, name = _line(event), event.anchor
        if name not in self._anchors:
            self._refuse(line, f"alias *{name} has no anchor &{name} above it; write out the value")
        node = self._anchors[name]
        if node is None:
            self._refuse(line, f"alias *{name} is inside the value of its own anchor; remove it")
        self._count(line, node.size)
        self._dive(line, depth + node.depth)
        return node

    def _inner(self, event: Event, depth: int) -> _Node:
        line = _line(event)
        self._dive(line, depth + 1)
        if isinstance(event, SequenceStartEvent):
            items: list[tuple[int, _Node]] = []
            while not isinstance(event := next(self._events), SequenceEndEvent):
                items.append((_line(event), self._node(event, depth + 1)))
            return _node_of(items, line, [item for _, item in items])
        assert isinstance(event, MappingStartEvent), type(event)
        members: dict[str, tuple[int, _Node]] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            at = _line(event)
            key = self._key(event, depth + 1)
            if key in members:
                also = members[key][0]
                on = f"line {also} and line {at}" if also != at else f"line {at} twice"
                self._refuse(
                    at,
                    f"{key}: a key may occur only once in a mapping, but this one is on {on}; keep "
                    "one of them",
                )
            members[key] = (at, self._node(next(self._events), depth + 1))
        return _node_of(members, line, [member for _, member in members.values()])

    def _key(self, event: Event, depth: int) -> str:
        line = _line(event)
        if isinstance(event, ScalarEvent) and event.value == "<<":
            self._refuse(line, "merging with << is not allowed; write out the fields")
        key = self._node(event, depth).value
        if isinstance(key, dict | list) or key is None:
            kind = "null" if key is None else "a mapping" if isinstance(key, dict) else "a list"
            self._refuse(line, f"a key must be a string or a number, got {kind}")
        # Levels are named in a mapping: 256 and 0.5 are good names for them.
        return str(key).lower() if isinstance(key, bool) else str(key)

    def _scalar(self, event: ScalarEvent) -> _Node:
        line, text = _line(event), str(event.value)
        tag = self._resolver.resolve(ScalarNode, text, event.implicit)
        try:
            value: Any = self._constructor.construct_object(ScalarNode(tag, text), deep=True)
        except (ValueError, OverflowError, YAMLError):
            self._refuse(
                line, f"{_quoted(text)} is not a valid number; put it in quotes if it is text"
            )
        if not isinstance(value, FLAT):
            self._refuse(
                line,
                "a value must be a string, a number, true, false, null, a list or a mapping, got "
                f"{_quoted(text)} ({type(value).__name__}); put it in quotes",
            )
        return _Node(value, line, 1, 0)

    def _count(self, line: int, size: int) -> None:
        self._size += size
        if self._size > MOST_VALUES:
            self._refuse(
                line,
                f"a study may have at most {MOST_VALUES} keys and values after expanding aliases, "
                "and this line exceeds the limit; write fewer",
            )

    def _dive(self, line: int, depth: int) -> None:
        if depth > DEEPEST:
            self._refuse(
                line, f"values may be nested at most {DEEPEST} deep; make the file flatter"
            )

    def _refuse(self, line: int, message: str) -> NoReturn:
        raise StudyError(f"{self._path}:{line}: {message}")


def _node_of(value: Any, line: int, inner: list[_Node]) -> _Node:
    keys = len(inner) if isinstance(value, dict) else 0
    size = 1 + keys + sum(node.size for node in inner)
    return _Node(value, line, size, 1 + max((node.depth for node in inner), default=0))


def _line(event: Event) -> int:
    return event.start_mark.line + 1


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _plain(node: _Node, here: Location, lines: dict[Location, int]) -> Any:
    """The value with aliases written out, and the line of each of its members."""
    members: Iterator[tuple[str | int, tuple[int, _Node]]]
    if isinstance(node.value, dict):
        members = iter(node.value.items())
    elif isinstance(node.value, list):
        members = enumerate(node.value)
    else:
        return node.value
    found: dict[str | int, Any] = {}
    for name, (line, member) in members:
        lines[(*here, name)] = line
        found[name] = _plain(member, (*here, name), lines)
    return found if isinstance(node.value, dict) else list(found.values())


def name_in(study: str) -> str:
    """The `name:` of a study file; for a missing or broken file its stem; any other name unchanged."""
    path = Path(study)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        with suppress(StudyError):
            return str(read_yaml(path).content.get("name", path.stem))
    return path.stem
