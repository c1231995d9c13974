"""Text from files, paths and errors, made safe to print: no character moves the cursor or hides others."""

_CONTROLS = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"}
_REORDERING = [0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_NO_CHARACTERS = [*range(0x80, 0xA0), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF]
_SHOWN = {**_CONTROLS, 0x7F: 0x2421, **dict.fromkeys([*_REORDERING, *_NO_CHARACTERS], 0xFFFD)}


def printable(text: str) -> str:
    """The text with each unsafe character replaced by a visible one.

    ESC and the other control characters become their symbols (U+2400 onwards); characters
    that reorder text or cannot be encoded become U+FFFD. Tab and line feed stay.
    """
    return text.translate(_SHOWN)
