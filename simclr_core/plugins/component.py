"""Custom components: an object in a user's Python file that a configuration names.

The file's bytes are hashed when a configuration is checked; keys contain the hash, not the path.
Exactly these bytes are executed: never in planning, and as a new module in each pre-training run, so
that no state of the file passes from one trial to the next.
"""

import itertools
import json
import linecache
import sys
import traceback
import weakref
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from types import ModuleType
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import (
    BaseModel,
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
)
from pydantic_core import PydanticCustomError
from torch import Tensor

from simclr_core.base import Frozen, nearest_name
from simclr_core.errors import ConfigurationError, PartError
from simclr_core.plugins.source import Unusable, code_of, digest, examined, names_at_the_top, read

IDENTITY: dict[str, Any] = {"files": "by hash"}
"""The context of a dump in which files stand by their hash alone, wherever they lie."""

Value = TypeVar("Value")
Model = TypeVar("Model", bound=BaseModel)

_numbers = itertools.count(1)
_texts: dict[str, str] = {}
"""Hash -> text of all files that this process has read or received."""


def reading(texts: dict[str, str] | None = None) -> dict[str, Any]:
    """The context of a validation that reads and examines files and fills in their hashes.

    Each file is read once, so that what is examined and what is hashed are the same bytes: `texts`
    has the text of each, by path, and is extended.
    """
    return {"files": {} if texts is None else texts}


def supply(texts: Iterable[str]) -> None:
    """Makes the texts of files known by their hashes; a file that is known is not read again."""
    _texts.update((digest(text), text) for text in texts)


def known_text(sha256: str) -> str | None:
    """The text with this hash, if this process has read or received it."""
    return _texts.get(sha256)


class FromFile(Frozen):
    """The common fields of custom components: a file, a name in it, and options.

    Each family's class describes the arguments, the result and the rules. A class instead of a function
    is instantiated with the options once in each pre-training run, and then called. A component is a
    single file: other files of its folder are not imported, and imports from elsewhere are not part of
    any key. Texts are UTF-8, and at most 1,000,000 bytes.
    """

    kind: Literal["file"] = "file"

    path: str = Field(min_length=1, examples=["mine.py"])
    """The Python file, relative to the study's file in a study, else to the working folder.
    It has no effect on keys."""

    name: str = Field(examples=["mine"])
    """The function or class, defined at the top level of the file."""

    options: dict[str, Any] = Field(default_factory=dict, examples=[{"power": 2}])
    """Its keyword arguments, as plain JSON."""

    sha256: str | None = Field(default=None, validate_default=True, examples=["0" * 64])
    """The hash of the file's bytes, 64 hexadecimal digits; filled in if left out. If given, it pins
    the study to this file."""

    # ------------------------------------------------------------------------------------- checks

    @field_validator("path")
    @classmethod
    def _a_python_file(cls, path: str, info: ValidationInfo) -> str:
        texts = _texts_by_path(info)
        if texts is not None:
            try:
                if path not in texts:
                    texts[path] = read(path)
                examined(path, texts[path])
            except Unusable as error:
                raise _mistake(str(error)) from error
        return path

    @field_validator("name")
    @classmethod
    def _bound_in_the_file(cls, name: str, info: ValidationInfo) -> str:
        texts = _texts_by_path(info)
        if texts is not None and "path" in info.data:
            path = info.data["path"]
            known = names_at_the_top(path, texts[path])
            if name not in known:
                raise _mistake(f"must be defined at the top level of {path}, {_got(name, known)}")
        return name

    @field_validator("options")
    @classmethod
    def _plain(cls, options: dict[str, Any]) -> dict[str, Any]:
        try:
            return json.loads(json.dumps(options, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise _mistake(f"must be plain JSON with finite numbers, but {error}") from error

    @field_validator("sha256")
    @classmethod
    def _a_hash(cls, sha256: str | None) -> str | None:
        if sha256 is not None and (len(sha256) != 64 or set(sha256) - set("0123456789abcdef")):
            raise _mistake(
                f"must be 64 hexadecimal digits, got {sha256!r}; if you leave it out, it is filled in"
            )
        return sha256

    @field_validator("sha256")
    @classmethod
    def _of_the_file(cls, sha256: str | None, info: ValidationInfo) -> str | None:
        texts = _texts_by_path(info)
        if texts is None or "path" not in info.data:
            return sha256
        text = texts[info.data["path"]]
        found = digest(text)
        if sha256 not in (None, found):
            raise _mistake(
                f"must be that of {info.data['path']}, {found[:12]}..., got {sha256[:12]}...; "
                "restore the file, or leave the hash out"
            )
        _texts[found] = text
        return found

    @model_serializer(mode="wrap")
    def _by_hash_in_identities(
        self, handler: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        dumped: dict[str, Any] = handler(self)
        if info.context == IDENTITY:
            assert self.sha256 is not None, "identity is that of a resolved configuration"
            del dumped["path"]
        return dumped

    # ---------------------------------------------------------------------------------- execution

    def text(self) -> str:
        """The file's text, with the hash that this value names.

        Raises:
            PartError: it is not known here and cannot be read, or is another by now.
        """
        known = None if self.sha256 is None else known_text(self.sha256)
        if known is not None:
            return known
        try:
            text = read(self.path)
        except Unusable as error:
            raise PartError(f"the file of {self.name} {error}") from error
        found = digest(text)
        if self.sha256 not in (None, found):
            raise PartError(
                f"{self.path} changed since it was planned: its hash is {found[:12]}..., but "
                f"{self.sha256[:12]}... was planned; restore it, or plan again"
            )
        return text

    @cached_property
    def named(self) -> Any:
        """The object with this name, after executing the file.

        Raises:
            PartError: executing it raises, or it leaves nothing of this name that can be called.
        """
        module = self._executed()
        if not hasattr(module, self.name):
            raise PartError(
                f"{self.path}: {self.name} must be defined at its top level, "
                f"{_got(self.name, [name for name in vars(module) if name[0] != '_'])}"
            )
        found = getattr(module, self.name)
        if not callable(found):
            raise PartError(
                f"{self.path}: {self.name} must be a function or a class, "
                f"got {type(found).__name__}"
            )
        return found

    @cached_property
    def function(self) -> Any:
        """The callable: the function with its options, or the instance of the class."""
        found = self.named
        if not isinstance(found, type):
            return partial(found, **self.options)
        with self.blamed():
            made: Any = found(**self.options)
        if not callable(made):
            raise PartError(
                f"{self.path}: the object that {self.name} returns must be callable; define __call__"
            )
        return made

    @contextmanager
    def blamed(self, what: str | None = None) -> Generator[None]:
        """Turns whatever the file raises into a PartError with the file, the line and the reason."""
        try:
            yield
        except PartError:
            raise
        except (Exception, SystemExit) as error:
            lines = str(error).strip().splitlines()
            reason = f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
            raise PartError(
                f"{self._place(error)}: {what or self.name} raised {reason}; fix the file"
            ) from error

    def refused(self, rule: str) -> PartError:
        """The error of a part that breaks its family's contract."""
        return PartError(f"{self.path}: {self.name} {rule}")

    def guarded(self, method: Any) -> Any:
        """A method of what the file made, whose errors name the file."""

        def call(*given: Any, **named: Any) -> Any:
            with self.blamed():
                return method(*given, **named)

        return call

    def _executed(self) -> ModuleType:
        text = self.text()
        # A name of its own for each execution: two files of one name, or one file in two trials,
        # share nothing. It stands among the modules, since dataclasses look there.
        module = ModuleType(f"own_part_{digest(text)[:12]}_{next(_numbers)}")
        module.__file__ = self.path
        sys.modules[module.__name__] = module
        weakref.finalize(self, sys.modules.pop, module.__name__, None)
        # Tracebacks show the lines that ran, not those that stand on the disk by then.
        linecache.cache[self.path] = (len(text), None, text.splitlines(keepends=True), self.path)
        with self.blamed("its execution"):
            exec(code_of(self.path, text), vars(module))  # noqa: S102 -- the study names it, the plan shows it
        return module

    def _place(self, error: BaseException) -> str:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == self.path]
        if isinstance(error, SyntaxError) and error.filename == self.path:
            lines.append(error.lineno)
        return f"{self.path}:{lines[-1]}" if lines else self.path


class OwnFile(NamedTuple):
    """A custom component in a configuration in JSON."""

    field: str
    """Dotted: `loss`, `views.operations.1`."""
    settings: Mapping[str, Any]
    """path, name, options, sha256."""


def files_of(config: Mapping[str, Any]) -> Iterator[OwnFile]:
    """Every custom component in a resolved configuration in JSON, in the order of the fields."""

    def below(value: Any, field: str) -> Iterator[OwnFile]:
        if isinstance(value, Mapping):
            if value.get("kind") == "file":
                yield OwnFile(field, value)
                return
            for name, inner in value.items():
                yield from below(inner, f"{field}.{name}" if field else str(name))
        elif isinstance(value, (list, tuple)):
            for place, inner in enumerate(value):
                yield from below(inner, f"{field}.{place}")

    yield from below(config, "")


def with_fresh_components(config: Model) -> Model:
    """The configuration with fresh custom components: with their hashes, and not yet executed.

    Raises:
        ConfigurationError: a file without a hash cannot be read or used.
    """
    # Nearly all have none, and a plan resolves thousands: the text says so at once.
    return _fresh(config) if '"kind":"file"' in config.model_dump_json() else config


def _fresh(value: Value) -> Value:
    made: Any = value
    if isinstance(value, FromFile):
        context = reading() if value.sha256 is None else None
        try:
            made = type(value).model_validate(value.model_dump(), context=context)
        except ValidationError as error:
            sentences = [f"{e['loc'][0]}: {e['msg']}" for e in error.errors(include_url=False)]
            raise ConfigurationError("\n".join(sentences)) from error
    elif isinstance(value, tuple):
        items = tuple(_fresh(item) for item in value)
        if any(new is not old for new, old in zip(items, value, strict=True)):
            made = items
    elif isinstance(value, BaseModel):
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        fresh = {name: _fresh(old) for name, old in fields.items()}
        changed = {name: new for name, new in fresh.items() if new is not fields[name]}
        if changed:
            made = value.model_copy(update=changed)
    return made


def shape_text(tensor: Tensor) -> str:
    """A tensor's type and shape, for messages."""
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {list(tensor.shape)}"


def _texts_by_path(info: ValidationInfo) -> dict[str, str] | None:
    return (info.context or {}).get("files")


def _mistake(text: str) -> PydanticCustomError:
    return PydanticCustomError("shape", "{text}", {"text": text})


def _got(name: str, known: Sequence[str]) -> str:
    there = f"there are {', '.join(known[:10])}" if known else "the file defines nothing"
    return f"got {name!r}{nearest_name(name, known) or f'; {there}'}"
