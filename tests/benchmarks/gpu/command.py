"""The command: sections run in a child process, which is replaced where one of them breaks it.

A hanging section is ended when its time is over, and what it had found stays. A broken CUDA context
breaks all that follows in its process, so the sections after it get another one.
"""

import argparse
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.gpu.rows import Ended, Row, document, table

SHARES = {
    "machine": 4.0,
    "agreement": 45.0,
    "packs": 60.0,
    "networks": 25.0,
    "peer": 25.0,
    "evaluation": 25.0,
    "quickstart": 40.0,
}
"""Section -> its share of the time."""

OVER = 12.0
"""Seconds that a section, and all of them, may take beyond their time before they are ended."""


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="bench-gpu", description=__doc__)
    parser.add_argument("--only", help=f"sections, separated by commas: {','.join(SHARES)}")
    parser.add_argument("--budget", type=float, default=220.0, help="seconds in all (220)")
    parser.add_argument("--json", type=Path, help="the file of all numbers")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--members", type=int, default=8, help="trials at once in quickstart (8)")
    parser.add_argument("--miniature", action="store_true", help="tiny sizes, to try the command")
    parser.add_argument("--child", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    options.sections = options.only.split(",") if options.only else list(SHARES)
    if unknown := [name for name in options.sections if name not in SHARES]:
        parser.error(
            f"--only: there is no section {', '.join(unknown)}; there are {', '.join(SHARES)}"
        )
    return options


def main(words: Sequence[str] | None = None) -> int:
    """0 if all sections ended well."""
    options = parsed(words)
    if options.child is not None:
        from benchmarks.gpu.child import run_sections

        return run_sections(options)
    given = list(sys.argv[1:] if words is None else words)
    own = [sys.executable, str(Path(__file__).with_name("__main__.py")), *given]

    def command(sections: Sequence[str], until: float) -> list[str]:
        return [*own, "--only", ",".join(sections), "--child", str(until)]

    began = time.time()
    rows, ended = supervised(options.sections, command, began + options.budget)
    facts = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "options": given,
        "seconds": time.time() - began,
    }
    path = options.json or Path(tempfile.mkdtemp(prefix="bench-gpu-")) / "bench-gpu.json"
    path.write_text(json.dumps(document(rows, ended, facts), indent=1) + "\n", "utf-8")
    print(table(rows, ended))
    print(f"\n{facts['seconds']:.0f} s; all numbers: {path}")
    return 0 if all(how.state == "done" for how in ended.values()) else 1


def share(name: str, names: Sequence[str], left: float) -> float:
    """The seconds of a section, of those that it and the ones after it have left."""
    rest = names[names.index(name) :]
    return max(0.0, left) * SHARES[name] / sum(SHARES[each] for each in rest)


def supervised(
    sections: Sequence[str],
    command: Callable[[Sequence[str], float], list[str]],
    until: float,
    over: float = OVER,
) -> tuple[list[Row], dict[str, Ended]]:
    """All rows and how each section ended; `command` starts a child for some of them.

    A child writes one JSON object a line: {"begin": section}, {"row": [...]}, {"end": section,
    "error": text or null}.
    """
    rows: list[Row] = []
    ended: dict[str, Ended] = {}
    while left := [name for name in sections if name not in ended]:
        if time.time() > until:
            ended |= {name: Ended("skipped", 0.0, "no time was left") for name in left}
            break
        found = _one_child(left, command(left, until), until, over, rows)
        # A child that ends before its first section would be started for ever.
        ended |= found or {left[0]: Ended("failed", 0.0, "its process did not start")}
    return rows, {name: ended[name] for name in sections}


def _one_child(
    names: Sequence[str], words: list[str], until: float, over: float, rows: list[Row]
) -> dict[str, Ended]:
    """The sections that a child ended, well or not; it is killed where one takes too long."""
    ended: dict[str, Ended] = {}
    current, began, limit = names[0], time.time(), time.time() + 60 + over
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)
    reader = threading.Thread(target=_read, args=(child, lines), daemon=True)
    reader.start()
    try:
        while True:
            try:
                line = lines.get(timeout=max(0.05, limit - time.time()))
            except queue.Empty:
                _kill(child)
                seconds = time.time() - began
                ended[current] = Ended("timed out", seconds, "it was ended, its time was over")
                break
            if line is None:
                break
            said: dict[str, Any] = json.loads(line)
            if "begin" in said:
                current, began = said["begin"], time.time()
                own = share(current, names, until - began)
                limit = min(began + own, until) + over
            elif "row" in said:
                rows.append(Row(*said["row"]))
            else:
                state = "done" if said["error"] is None else "failed"
                ended[said["end"]] = Ended(state, time.time() - began, said["error"])
                current = next((name for name in names if name not in ended), current)
                limit = time.time() + over
    finally:
        code = _ended(child)
        reader.join()
    if current not in ended and code:
        ended[current] = Ended("failed", time.time() - began, f"its process ended with {code}")
    return ended


def _ended(child: subprocess.Popen[str]) -> int:
    """The child's exit code; it is killed if it does not end now."""
    try:
        return child.wait(timeout=5)
    except subprocess.TimeoutExpired:
        _kill(child)
        return child.wait()


def _kill(child: subprocess.Popen[str]) -> None:
    """Ends it, and the workers that it started."""
    os.killpg(child.pid, signal.SIGKILL)


def _read(child: subprocess.Popen[str], lines: "queue.SimpleQueue[str | None]") -> None:
    assert child.stdout is not None
    with child.stdout:
        for line in child.stdout:
            lines.put(line)
    lines.put(None)
