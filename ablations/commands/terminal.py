"""Output on the terminal: results on standard output, messages on standard error."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.plain_text import printable

if TYPE_CHECKING:
    from rich.console import Console


def console() -> "Console":
    """Standard output, without markup: names of cells may hold brackets, never a raw escape."""
    from rich.console import Console
    from rich.text import Text

    class Quiet(Console):
        def on_broken_pipe(self) -> None:
            """The reader (such as `head`) has stopped: work continues, but nothing more is printed."""
            self.quiet = True
            sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 -- to the end

        def render_str(self, text: str, **options: Any) -> Text:
            """Each plain string passes here, in tables too."""
            return super().render_str(printable(text), **options)

    return Quiet(markup=False, highlight=False, emoji=False)


def say(sentence: str) -> None:
    """One message on standard error, without markup."""
    print(f"ablate: {printable(sentence)}", file=sys.stderr)  # noqa: T201 -- stderr


def say_all(messages: list[str]) -> None:
    """Says the messages of a store, each once: the list is empty afterwards."""
    for message in messages:
        say(message)
    messages.clear()
