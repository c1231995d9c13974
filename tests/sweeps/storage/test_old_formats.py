"""Records and stores that earlier versions wrote are read with all that they hold."""

import json
import shutil
from pathlib import Path

import pytest

from sweeps.planning import chain_keys
from sweeps.storage import Store

RECORDS = Path(__file__).with_name("old_records")
"""Files as the code of each format wrote them, of one trial."""

KEY = "7218e00b03c08d7f"


def read(store: Store, number: int) -> Store:
    folder = store.trials / KEY / "001"
    folder.mkdir(parents=True)
    shutil.copyfile(RECORDS / f"format_{number}.json", folder / "record.json")
    return Store(store.path)


@pytest.mark.parametrize("number", [1, 2])
def test_a_record_of_an_earlier_format_is_read_with_all_that_it_holds(
    store: Store, number: int
) -> None:
    [record] = (old := read(store, number)).records()

    told = json.loads((RECORDS / f"format_{number}.json").read_text())
    got = record.model_dump(mode="json")
    assert {name: got[name] for name in told} == told | {"format": 3}
    assert [stage.name for stage in record.stages] == ["encoder", "read-out"]
    assert record.values == {"top1": 51.25, "knn_top1": None}
    assert (record.seal is None) == (number == 1)
    assert old.summaries() == (record.summary(),)
    assert old.messages == []


def test_a_record_of_format_2_keeps_its_names_and_so_its_keys(store: Store) -> None:
    [record] = read(store, 2).records()

    assert record.config["readouts"] == record.chain[1][1]["readouts"] == {"layer": "h"}
    assert chain_keys(record.chain)[-1] == ("read-out", KEY)


def test_a_record_of_format_2_that_changed_is_set_aside(store: Store) -> None:
    read(store, 2)
    file = store.trials / KEY / "001" / "record.json"
    file.write_text(file.read_text().replace("51.25", "51.26"))

    assert store.summaries() == ()
    assert "changed since it was written" in store.messages[0]


@pytest.mark.parametrize("number", [0, -1, "two", None, 2.5])
def test_a_format_that_never_was_is_no_record(store: Store, number: object) -> None:
    read(store, 1)
    file = store.trials / KEY / "001" / "record.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format": number}))

    assert store.summaries() == ()
    assert len(store.messages) == 1


def test_a_store_of_format_1_keeps_its_identity_and_older_programs_refuse_it_from_then_on(
    tmp_path: Path,
) -> None:
    mark = tmp_path / "store.json"
    mark.write_text('{"format": 1, "id": "0123456789abcdef"}')

    assert Store(tmp_path).exists
    assert json.loads(mark.read_text())["format"] == 1  # reading changes nothing
    assert Store(tmp_path).identity == "0123456789abcdef"
    assert json.loads(mark.read_text()) == {"format": 2, "id": "0123456789abcdef"}
