"""A test quotes every message that a user can meet, and the page on troubles quotes those of today."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
PACKAGES = ("simclr_core", "sweeps", "reports", "ablations")

WINDOW = 16
"""Characters of a message that a test must have in a row; of a shorter piece, all.

What other messages say too ("; give more characters") does not count.
"""

SHORTEST = 8
"""Characters of a piece between two values that are words of their own."""


class Message(NamedTuple):
    place: str
    pieces: tuple[str, ...]
    """Its text without the values that are filled in."""

    def windows(self) -> frozenset[str]:
        return frozenset(window for piece in self.pieces for window in _windows(piece))

    def is_quoted(self) -> bool:
        """Whether a test has words that are in this sentence and in no other.

        One that has no such words ("cannot be read (") is quoted by a text with its longest piece
        and, before and after it, no words of one other sentence alone.
        """
        if any(self._is_alone_with(window) for window in self.windows() & quoted()):
            return True
        if any(self._is_alone_with(window) for window in self.windows()):
            return False
        longest = max(self.pieces, key=len)
        return any(
            longest in text and not any(map(self._is_another, text.split(longest)))
            for text in texts_of_tests()
        )

    def _is_alone_with(self, window: str) -> bool:
        return homes().get(window, set()) <= {self.pieces}

    def _is_another(self, text: str) -> bool:
        found = (homes().get(window, set()) for window in _windows(text))
        return any(len(home) == 1 and self.pieces not in home for home in found)


def messages(code: str, place: str) -> Iterator[Message]:
    """What this code raises, says or adds to a list of messages or mistakes, where it has words."""
    for node in ast.walk(ast.parse(code)):
        for sentence in _sentences(node):
            texts = (text for part in sentence for text in _texts(part))
            parts = (part for text in texts for part in re.split(r"\{\w+\}", text))
            if pieces := tuple(part for part in parts if len(part.strip()) >= SHORTEST):
                yield Message(f"{place}:{sentence[0].lineno}", pieces)


def _sentences(node: ast.AST) -> Iterator[list[ast.expr]]:
    """The expressions that make up one message, of each message that this node alone adds."""
    match node:
        case ast.Raise(exc=ast.Call(args=args)):
            yield args
        case ast.Call(args=args) if _says(node):
            yield args
        case (
            ast.Assign(targets=[ast.Name("mistakes")], value=ast.expr() as value)
            | ast.AnnAssign(target=ast.Name("mistakes"), value=ast.expr() as value)
            | ast.AugAssign(target=ast.Name("mistakes"), value=ast.expr() as value)
        ):
            yield from ([one] for one in value.elts) if isinstance(value, ast.List) else [[value]]
        case _:
            pass


def _says(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    return name == "say" or name.endswith(("messages.append", "mistakes.append"))


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
def texts_of_tests() -> frozenset[str]:
    """Every text of the tests; patterns without their backslashes."""
    return frozenset(
        text.replace("\\", "")
        for folder in (*PACKAGES, "end_to_end", "proof")
        for path in (TESTS / folder).rglob("test_*.py")
        for text in _texts(ast.parse(path.read_text("utf-8")))
    )


@cache
def quoted() -> frozenset[str]:
    """Every window of every text of the tests."""
    texts = texts_of_tests()
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


@cache
def homes() -> dict[str, set[tuple[str, ...]]]:
    """The sentences that each window is in; one that is in several places is one sentence."""
    found: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
    for one in every_message():
        for window in one.windows():
            found[window].add(one.pieces)
    for short in (window for window in found if len(window) < WINDOW):
        found[short] |= {one.pieces for one in every_message() if short in "\0".join(one.pieces)}
    return dict(found)


def test_a_test_quotes_every_message() -> None:
    found = every_message()

    assert len(found) > 250
    unread = [one for one in found if not one.is_quoted()]
    assert [f"{one.place}: {' ... '.join(one.pieces)}" for one in unread] == []


def test_a_quoted_message_is_known() -> None:
    [message] = messages('raise UsageError(f"--seeds: a seed must be below {n}")', "here")

    assert message.is_quoted()


@pytest.mark.parametrize(
    "code",
    [
        'raise UsageError(f"{path}: no test has ever read this sentence")',
        'say(f"{n} of them are words that no test has read")',
        'store.messages.append("one more that has never been read")',
        'mistakes.append(f"{name} is one that has never been read")',
        'mistakes += [f"{name} in a list that has never been read"]',
        'raise PlanError(f"{name} has no floor; a trial needs at least one")',
        'raise PlanError(f"a plan may have at most {n}")',
    ],
)
def test_one_that_no_test_quotes_is_found(code: str) -> None:
    [message] = messages(code, "here")

    assert not message.is_quoted()


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
