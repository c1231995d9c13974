"""Text from files, paths and errors, made safe to print: no character moves a cursor or hides another."""

import re

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, but tab and line feed
    "\u2028\u2029\u202a-\u202e\u2066-\u2069"  # separators, and what turns the reading direction
    "\ud800-\udfff\ufffe\uffff]"  # halves of pairs, and what is no character
)
_SYMBOLS, _DELETE, _REPLACEMENT = 0x2400, "\x7f", "\ufffd"


def printable(text: str) -> str:
    """The text with each unsafe character replaced by a visible one.

    ESC and the other control characters become their symbols (U+2400 onwards); characters
    that reorder text or cannot be encoded become U+FFFD. Tab and line feed stay.
    """
    return _UNSAFE.sub(_shown, text)


def _shown(found: re.Match[str]) -> str:
    character = found[0]
    if character == _DELETE:
        return "\u2421"
    if ord(character) < 0x20:
        return chr(_SYMBOLS + ord(character))
    return _REPLACEMENT
