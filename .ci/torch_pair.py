"""Puts a pair of torch and torchvision wheels in the place of the lock's.

Usage: torch_pair.py DIR requirements.lock pyproject.toml OUTPUT

Writes to OUTPUT the lock without torch, torchvision and what only they need (what the pair itself
needs stays, hashed as ever) and prints the two wheels, linked beside OUTPUT. Standard library only:
it runs before any installation.
"""

import pathlib
import re
import sys
import sysconfig
import zipfile

NAMES = ("torch", "torchvision")


def stop(sentence: str) -> None:
    print(f"set-up: {sentence}", file=sys.stderr)
    raise SystemExit(2)


def release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])


def allowed(version: str, specifier: str) -> bool:
    for clause in filter(None, specifier.split(",")):
        operator, bound = re.match(r"(>=|<=|==|<|>)\s*([0-9.]+)", clause.strip()).groups()
        here, there = release(version), release(bound)
        width = max(len(here), len(there))
        here, there = (part + (0,) * (width - len(part)) for part in (here, there))
        if not {
            ">=": here >= there,
            "<=": here <= there,
            "==": here == there,
            "<": here < there,
            ">": here > there,
        }[operator]:
            return False
    return True


def fits(wheel: pathlib.Path) -> bool:
    """Whether the wheel's tags fit this interpreter (CPython of this version, this platform)."""
    *_, python, abi, platform = wheel.stem.split("-")
    here = f"cp{sys.version_info.major}{sys.version_info.minor}"
    machine = sysconfig.get_platform().split("-")[-1]
    return (
        not {here, "py3"}.isdisjoint(python.split("."))
        and abi in {here, "abi3", "none"}
        and (machine in platform or platform == "any")
    )


def requirements(wheel: pathlib.Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        text = archive.read(name).decode()
    lines = re.findall(r"^Requires-Dist: (.+)$", text, re.MULTILINE)
    return [line for line in lines if "extra ==" not in line]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main(folder: str, lock_name: str, project_name: str, output_name: str) -> None:
    directory = pathlib.Path(folder)
    if not directory.is_dir():
        stop(
            f"TORCH must name a folder with a torch and a torchvision wheel, "
            f"and '{folder}' is no folder"
        )
    project = pathlib.Path(project_name).read_text()
    ranges = {name: re.search(rf'"{name}([^"]*)"', project).group(1) for name in NAMES}
    found: dict[str, dict[str, pathlib.Path]] = {name: {} for name in NAMES}
    for wheel in sorted(directory.glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        if name in found and fits(wheel) and allowed(version, ranges[name]):
            found[name][version.replace("%2B", "+")] = wheel
    pairs = []
    for version, vision in found["torchvision"].items():
        for line in requirements(vision):
            needed = re.match(r"torch\s*\(?([^;)]*)", line)
            for candidate, wheel in found["torch"].items():
                if needed and allowed(candidate, needed.group(1).strip()):
                    pairs.append((release(candidate), release(version), wheel, vision))
    if not pairs:
        here = (
            sorted(w.name for w in directory.glob("*.whl") if w.name.split("-")[0] in NAMES)
            or "none"
        )
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        stop(
            f"no fitting pair of wheels in '{folder}': for Python {python} on "
            f"{sysconfig.get_platform()} it takes torch{ranges['torch']} and the "
            f"torchvision{ranges['torchvision']} made for it; found: {here}"
        )
    _, _, torch, vision = max(pairs)

    blocks = [
        (normal(re.match(r"[A-Za-z0-9._-]+", block).group(0)), block)
        for block in re.split(r"\n(?=[A-Za-z0-9])", pathlib.Path(lock_name).read_text())
    ]
    parents: dict[str, set[str]] = {}
    for name, block in blocks:
        via = block.partition("# via")[2]
        parents.setdefault(name, set()).update(
            normal(p) for p in re.findall(r"[A-Za-z][A-Za-z0-9._-]+", via)
        )
    needed = {
        normal(re.match(r"[A-Za-z0-9._-]+", line).group(0)): line
        for line in requirements(torch) + requirements(vision)
    }
    for name, block in blocks:
        wanted = re.match(
            r"[A-Za-z0-9._-]+(?:\[[^\]]*\])?\s*\(?==([0-9.]+)\)?\s*(?:;|$)", needed.get(name, "")
        )
        locked = re.match(r"[A-Za-z0-9._-]+==([^ ;]+)", block).group(1)
        if name not in NAMES and wanted and wanted.group(1) != locked:
            stop(
                f"{torch.name} needs {name} {wanted.group(1)} and requirements.lock holds "
                f"{locked}: put a CPU build into the folder, or wheels of the versions "
                "that the lock names"
            )
    gone = set(NAMES)
    while more := {
        n for n, p in parents.items() if n not in gone and n not in needed and p and p <= gone
    }:
        gone |= more
    output = pathlib.Path(output_name)
    output.write_text("\n".join(block for name, block in blocks if name not in gone) + "\n")
    for wheel in (torch, vision):
        (output.parent / wheel.name).symlink_to(wheel.resolve())
        print(output.parent / wheel.name)


if __name__ == "__main__":
    main(*sys.argv[1:])
