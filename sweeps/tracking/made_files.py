"""Files of a trial's run that the engine's user makes from the record."""

import importlib
import traceback

from sweeps.record import TrialRecord, is_plain_name


def further_files(makes: str | None, record: TrialRecord) -> dict[str, str]:
    """Name -> text of the files that the function `module:function` makes; none where it fails.

    A file that cannot be made must cost no run: the traceback is in the tracker's log.
    """
    if makes is None:
        return {}
    module, _, attribute = makes.partition(":")
    try:
        made: dict[str, str] = getattr(importlib.import_module(module), attribute)(record)
        return {name: text for name, text in made.items() if is_plain_name(name)}
    except Exception:  # noqa: BLE001 - whatever it raises
        traceback.print_exc()
        return {}
