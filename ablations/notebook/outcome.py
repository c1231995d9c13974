"""What calls return besides data frames: a report's files, and the result of a run."""

import re
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import pandas as pd

LINKS = re.compile(r'<p class="files">.*?</p>\n?', re.DOTALL)
"""Links to the files next to the page, which a notebook does not have. Names of users are escaped."""

MOST_CHARACTERS = 8_000_000
"""Of a page that a notebook embeds; a report of 10,000 trials has about half as many."""


@dataclass(frozen=True)
class ReportFiles:
    """A written report; the last value of a Jupyter cell shows its page."""

    html: Path
    pdf: Path
    tables: Path
    """The folder with each table as CSV, LaTeX and JSON."""
    figures: Path
    """The folder with each figure as SVG and PDF."""

    def framed(self) -> str:
        """The page in a frame of its own: it can neither read the notebook nor reach a network."""
        try:
            page = LINKS.sub("", self.html.read_text(encoding="utf-8"))
        except OSError as error:
            return (
                f"<p>{escape(str(self.html))} cannot be read ({escape(str(error.strerror))}).</p>"
            )
        if len(page) > MOST_CHARACTERS:
            return f"<p>The report is too large for a notebook: {escape(str(self.html))}</p>"
        return (
            '<iframe sandbox="allow-scripts" title="report" width="100%" height="720" '
            f'style="border: 0" srcdoc="{escape(page)}"></iframe>'
        )

    def _repr_html_(self) -> str:
        """For Jupyter; see `framed`."""
        return self.framed()


@dataclass(frozen=True)
class RunResult:
    """The result of a run: verdicts, counts and paths."""

    study: str
    """With its scale and variation, as the folder of its reports is named."""

    counts: dict[str, int]
    """State -> number of trials of the study: finished, no number, failed, missing."""

    messages: tuple[str, ...]
    """What the command line prints for each trial that failed or was not run, and for tracking."""

    report: ReportFiles
    store: Path
    verdicts: pd.DataFrame = field(repr=False, compare=False)
    """One row for each claim; see `verdicts`."""

    @property
    def complete(self) -> bool:
        """Whether every planned trial has finished."""
        return not (self.counts["failed"] or self.counts["missing"])

    def _repr_html_(self) -> str:
        """For Jupyter: the report's page; why there is none, if no trial is on record."""
        if not self.report.html.is_file() and self.messages:
            return "".join(f"<p>{escape(message)}</p>" for message in self.messages)
        return self.report.framed()
