"""A test quotes every message that a user can meet, and the page on troubles quotes those of today."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
PACKAGES = ("simclr_core", "sweeps", "reports", "ablations")

WINDOW = 16
"""Characters of a message that a test must have in a row; of a shorter piece, all."""

SHORTEST = 8
"""Characters of a piece between two values that are words of their own."""


class Message(NamedTuple):
    place: str
    pieces: tuple[str, ...]
    """Its text without the values that are filled in."""

    def is_quoted(self, windows: frozenset[str]) -> bool:
        return any(not windows.isdisjoint(_windows(piece)) for piece in self.pieces)


def messages(code: str, place: str) -> Iterator[Message]:
    """What this code raises, says or adds to the messages of a store, where it has words."""
    for node in ast.walk(ast.parse(code)):
        call = node.exc if isinstance(node, ast.Raise) else node
        if not isinstance(call, ast.Call) or not (isinstance(node, ast.Raise) or _says(call)):
            continue
        texts = (text for one in call.args for text in _texts(one))
        if pieces := tuple(text for text in texts if len(text.strip()) >= SHORTEST):
            yield Message(f"{place}:{call.lineno}", pieces)


def _says(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    return name == "say" or name.endswith("messages.append")


def _texts(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield node.value
        return
    for inner in ast.iter_child_nodes(node):
        yield from _texts(inner)


def _windows(text: str) -> Iterator[str]:
    yield from (text[i : i + WINDOW] for i in range(max(1, len(text) - WINDOW + 1)))


@cache
def quoted() -> frozenset[str]:
    """Every window of every text of the tests; of patterns, without their backslashes."""
    texts = {
        text.replace("\\", "")
        for folder in (*PACKAGES, "end_to_end", "proof")
        for path in (TESTS / folder).rglob("test_*.py")
        for text in _texts(ast.parse(path.read_text("utf-8")))
    }
    short = {
        piece
        for one in every_message()
        for piece in one.pieces
        if len(piece) < WINDOW and any(piece in text for text in texts)
    }
    return frozenset(window for text in texts for window in _windows(text)) | short


@cache
def every_message() -> tuple[Message, ...]:
    return tuple(
        message
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for message in messages(path.read_text("utf-8"), str(path.relative_to(ROOT)))
    )


def test_a_test_quotes_every_message() -> None:
    found = every_message()

    assert len(found) > 250
    unread = [one for one in found if not one.is_quoted(quoted())]
    assert [f"{one.place}: {' ... '.join(one.pieces)}" for one in unread] == []


def test_a_quoted_message_is_known() -> None:
    [message] = messages('raise UsageError(f"--seeds: a seed must be below {n}")', "here")

    assert message.is_quoted(quoted())


@pytest.mark.parametrize(
    "code",
    [
        'raise UsageError(f"{path}: no test has ever read this sentence")',
        'say(f"{n} of them are words that no test has read")',
        'store.messages.append("one more that has never been read")',
    ],
)
def test_one_that_no_test_quotes_is_found(code: str) -> None:
    [message] = messages(code, "here")

    assert not message.is_quoted(quoted())


PAGE = ROOT / "ablations" / "TROUBLES.md"
QUOTES = re.findall(r"^- `([^`]*)`:", PAGE.read_text("utf-8"), re.MULTILINE)


def test_the_page_on_troubles_has_no_entry_of_another_form() -> None:
    entries = re.findall(r"^- ", PAGE.read_text("utf-8"), re.MULTILINE)

    assert len(entries) == len(QUOTES) == len(set(QUOTES)) > 30


@pytest.mark.parametrize("quote", QUOTES)
def test_the_page_on_troubles_quotes_a_message_of_today(quote: str) -> None:
    pieces = [piece for piece in quote.split("…") if piece.strip()]

    assert any(all(piece in text for piece in pieces) for text in literals())


@cache
def literals() -> tuple[str, ...]:
    """All texts of each module but its docstrings, in one."""
    found: list[str] = []
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            tree = ast.parse(path.read_text("utf-8"))
            plain = (node for node in ast.walk(tree) if not _is_docstring(node))
            found.append("\0".join(text for node in plain for text in _own_text(node)))
    return tuple(found)


def _own_text(node: ast.AST) -> Iterator[str]:
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
