"""Refuses retired phrases (retired-words.txt), each with its place and its replacement."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIST = Path(__file__).with_name("retired-words.txt")
PACKAGES = ("simclr_core/", "sweeps/", "reports/", "ablations/")
SUFFIXES = {".py", ".yaml", ".j2", ".typ", ".md"}


def retired() -> dict[str, str]:
    """Phrase -> replacement.

    Raises:
        ValueError: a line has no replacement.
    """
    rows = [line.strip() for line in LIST.read_text("utf-8").splitlines()]
    return dict(row.split(" -> ", 1) for row in rows if row and not row.startswith("#"))


def read_files() -> list[Path]:
    """The tracked files whose words a user or a reader of the code meets."""
    tracked = subprocess.run(
        ["git", "ls-files"],  # noqa: S607 -- git as it is installed
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return [
        ROOT / name
        for name in tracked
        if Path(name).suffix in SUFFIXES and (name.startswith(PACKAGES) or "/" not in name)
    ]


def found(text: str, phrases: dict[str, str]) -> list[tuple[int, str]]:
    """Line number and phrase of each retired phrase; a phrase may be broken over two lines.

    A line marked `# old name: ...` may keep one, since a hash or a random stream depends on it.
    """
    longest_first = sorted(phrases, key=len, reverse=True)
    spaced = (r"\s+(?:# )?".join(map(re.escape, phrase.split())) for phrase in longest_first)
    pattern = re.compile(rf"(?<![\w-])({'|'.join(spaced)})(?![\w-])", re.IGNORECASE)
    return [
        (text.count("\n", 0, match.start()) + 1, " ".join(match[1].replace("# ", "").split()))
        for match in pattern.finditer(text)
        if "# old name: " not in text[match.start() :].partition("\n")[0]
    ]


def main() -> int:
    """1 where a retired phrase is used."""
    phrases = retired()
    count = 0
    for path in read_files():
        for line, phrase in found(path.read_text("utf-8"), phrases):
            count += 1
            print(f"{path.relative_to(ROOT)}:{line}: {phrase!r}: write {phrases[phrase.lower()]}")
    if count:
        print(f"{count} retired phrases; the list is .ci/retired-words.txt")
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
