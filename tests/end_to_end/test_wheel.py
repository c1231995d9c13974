"""The wheel alone, in a folder far from the checkout: every command finds what it needs."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The content of the wheel, built from the tracked files as they are."""
    place = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        content.extractall(place / "site")
    return place / "site"


def called(unpacked: Path, folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ablations", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_program_runs_from_the_wheel_and_not_from_the_checkout(
    unpacked: Path, tmp_path: Path
) -> None:
    find = "import ablations, reports, simclr_core, sweeps; print(ablations.__file__)"
    place = subprocess.run(
        [sys.executable, "-c", find],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert place.startswith(str(unpacked))


def test_a_study_is_listed_explained_run_reported_and_shared(
    unpacked: Path, tmp_path: Path
) -> None:
    assert "quickstart" in called(unpacked, tmp_path, "list")
    assert called(unpacked, tmp_path, "explain", "seed").startswith("seed: the unit of replication")
    assert "loss.temperature" in called(unpacked, tmp_path, "fields", "loss")
    called(unpacked, tmp_path, "new", "mine", "--template", "factorial")
    called(unpacked, tmp_path, "plan", "mine.yaml", "--scale", "smoke")

    called(unpacked, tmp_path, "run", "quickstart", "--scale", "smoke", "--seeds", "1")
    called(unpacked, tmp_path, "report", "quickstart", "--scale", "smoke", "--seeds", "1")
    called(unpacked, tmp_path, "store", "export")

    study = tmp_path / "runs/studies/quickstart@smoke"
    assert (study / "report.html").stat().st_size > 10_000
    assert (study / "report.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "runs.tar.gz").exists()
