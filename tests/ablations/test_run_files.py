"""Files of a trial's run in MLflow: the confusion matrix as JSON and as a picture."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hostile_names import NAMES
from sklearn.metrics import confusion_matrix

from ablations.run_files import files_of
from sweeps.record import TrialRecord

TRUTH = [0] * 6 + [1] * 3 + [2]
ANSWERS = [0, 0, 0, 0, 1, 2, 1, 1, 0, 2]


def record(counts: Any, names: list[str] | None = None, **changes: Any) -> TrialRecord:
    """A record with these facts, as the engine would have written it."""
    facts = {
        "version": 4,
        "data": {"name": "d", "class_names": names or []},
        "class_confusion": counts,
        "measured_on": "test",
    }
    return TrialRecord.model_construct(
        **{"key": "k", "attempt": 1, "cell": "crop", "seed": 3, "facts": facts, **changes}
    )


def picture(files: dict[str, str]) -> ET.Element:
    return ET.fromstring(files["confusion.svg"])


def texts(svg: ET.Element) -> list[str]:
    return [one.text or "" for one in svg.iter("{http://www.w3.org/2000/svg}text")]


def test_both_files_have_scikit_learns_counts_rows_true_and_columns_predicted() -> None:
    table = confusion_matrix(TRUTH, ANSWERS).tolist()

    files = files_of(record(table, ["dog", "cat", "owl"]))

    assert list(files) == ["confusion.json", "confusion.svg"]
    found = json.loads(files["confusion.json"])
    assert found["counts"] == table == [[4, 1, 1], [1, 2, 0], [0, 0, 1]]
    assert found["classes"] == ["dog", "cat", "owl"]
    assert (found["rows"], found["columns"]) == ("true class", "predicted class")
    assert found["numbers"] == "images of the test split, linear probe, one trial"
    shown = texts(picture(files))
    assert shown[0] == "Confusion matrix: crop, seed 3"
    assert shown[1:7] == ["dog", "dog", "cat", "cat", "owl", "owl"]
    assert shown[7:-1] == ["4", "1", "1", "1", "2", "1"]  # zeros are left white


def test_a_darker_square_is_a_larger_share_of_its_row() -> None:
    svg = picture(files_of(record([[6, 2], [50, 50]])))

    squares = [one for one in svg.iter() if one.get("fill-opacity")]

    shares = [(float(one.get("fill-opacity") or 0) - 0.06) / 0.94 for one in squares]
    assert shares == pytest.approx([0.75, 0.25, 0.5, 0.5], abs=1e-3)
    places = [(int(one.get("x") or 0), int(one.get("y") or 0)) for one in squares]
    assert places[0][0] < places[1][0]
    assert places[0][1] == places[1][1] < places[2][1]


def test_many_classes_are_drawn_without_numbers_and_unnamed_ones_by_their_place() -> None:
    files = files_of(record([[1] * 100] * 100))

    assert len(texts(picture(files))) == 1 + 200 + 1
    assert json.loads(files["confusion.json"])["classes"][99] == "class 99"
    assert len(files["confusion.svg"]) < 2**20


@pytest.mark.parametrize("counts", [[], [[1] * 101] * 101])
def test_without_a_matrix_or_with_one_that_no_trial_records_there_is_no_file(counts: Any) -> None:
    assert files_of(record(counts)) == {}


def test_records_of_an_earlier_version_have_no_file() -> None:
    assert files_of(record([], facts={"version": 3, "data": {"name": "d"}})) == {}
    assert files_of(record([], facts={})) == {}


def test_no_name_of_a_class_or_cell_is_markup_and_all_of_them_are_in_the_json() -> None:
    identity = [[int(row == column) for column in range(len(NAMES))] for row in range(len(NAMES))]

    for cell in NAMES:
        files = files_of(record(identity, list(NAMES), cell=cell))
        svg = picture(files)

        assert {one.tag.partition("}")[2] for one in svg.iter()} == {"svg", "title", "rect", "text"}
        attributes = {name for one in svg.iter() for name in one.attrib}
        assert not [name for name in attributes if name.startswith("on") or "href" in name]
        assert all(len(text) <= 80 for text in texts(svg)[:-1])
        assert not set("\x1b\x07\u202e") & set(files["confusion.svg"])
        assert json.loads(files["confusion.json"])["classes"] == list(NAMES)
        assert set(files) == {"confusion.json", "confusion.svg"}


def test_nothing_heavy_is_imported_for_them() -> None:
    script = "import sys, ablations.run_files; print(*sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    heavy = {"torch", "numpy", "pandas", "matplotlib", "scipy", "mlflow", "ray"}
    assert set(done.stdout.split()) & heavy == set()
    assert "ablations.run_files" in done.stdout  # so the list of imports is real
