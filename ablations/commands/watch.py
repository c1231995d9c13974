"""`ablate report --watch`: rewrites the page when records arrive, and ends with all files written.

It reads records and replaces the study's reports, nothing else: a sweep that runs meanwhile notices
nothing. It has a low priority, and rests five times as long as it worked.
"""

import contextlib
import os
from time import monotonic, sleep

from ablations.commands.report import NothingRecordedError, recorded, report_study
from ablations.commands.terminal import console, say, say_all
from ablations.study import Request
from reports.errors import ReportError
from sweeps.storage import Store

PAUSE = 2.0
"""Seconds between looks at the store, at least."""

REST = 5.0
"""The rest after a look, in times of its length."""

RELOAD = 5
"""Seconds after which the page reloads itself."""

STOPPED = 130


def watch_report(request: Request) -> int:
    """Rewrites the page whenever the store has new records, until Ctrl-C; returns the exit code.

    Before the first record of an arm it waits. At the end the page no longer reloads itself, and the
    PDF, tables and figures are of the same records.

    Raises:
        UsageError: The study or the request is wrong, or the folder holds something else.
    """
    store, written = Store(request.store), False
    with contextlib.suppress(OSError):
        os.nice(10)
    say(f"watching {store.path} for records of {request.words()}; Ctrl-C ends it")
    seen: object = None
    try:
        while True:
            began = monotonic()
            # Key and attempt of each record: what changes when one arrives.
            now = [(one.key, one.attempt) for one in store.summaries()] if store.exists else []
            say_all(store.messages)
            if now != seen:
                seen = now
                with contextlib.suppress(NothingRecordedError):
                    written = _write(request, store) or written
            sleep(max(PAUSE, REST * (monotonic() - began)))
    except KeyboardInterrupt:
        if written:
            report_study(request)
    return STOPPED


def _write(request: Request, store: Store) -> bool:
    """Writes the page of what is on record; whether it could."""
    from reports.document import document
    from reports.judging import board
    from reports.write import write_report

    evidence = recorded(request).evidence
    try:
        made = document(evidence)
        page = write_report(made, "report.html", store.study(evidence.label), reload=RELOAD)
    except ReportError as error:  # a full disk, for now
        say(str(error))
        return False
    console().print(f"{board(evidence).summary}: {page}", soft_wrap=True)
    return True
