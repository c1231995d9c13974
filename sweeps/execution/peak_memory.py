"""The most memory that a process held while a trial ran."""

from pathlib import Path

_SELF = Path("/proc/self")


class PeakMemory:
    """Counts from its creation on; where the system cannot reset its count, nothing is known."""

    def __init__(self) -> None:
        try:
            (_SELF / "clear_refs").write_text("5")  # Linux: the peak becomes what is held now
        except OSError:
            self._known = False
        else:
            self._known = True

    def num_bytes(self) -> int | None:
        """Resident memory at its peak, libraries and data included; None if unknown."""
        if not self._known:
            return None
        try:
            lines = (_SELF / "status").read_text(encoding="utf-8").splitlines()
        except OSError:
            return None
        return next(
            (1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), None
        )
