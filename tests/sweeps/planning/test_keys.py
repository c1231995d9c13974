"""A key changes with anything that makes a trial another one, and with nothing else."""

import copy
import hashlib
import json
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.errors import PlanError
from sweeps.planning import chain_keys, key_of

leaves = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4) | st.floats(-9, 9)
identities = st.dictionaries(
    st.text(min_size=1, max_size=4),
    leaves
    | st.lists(leaves, max_size=2)
    | st.dictionaries(st.text(max_size=3), leaves, max_size=2),
    min_size=1,
    max_size=4,
)
chains = st.lists(st.tuples(st.text(min_size=1, max_size=4), identities), min_size=1, max_size=3)


def changed_once(chain: list) -> Iterator[tuple[int, list]]:
    """Every chain that differs in one place: a field changed, dropped, added, a stage renamed."""
    for place, (name, identity) in enumerate(chain):
        for field in identity:
            for change in ("change", "drop", "rename"):
                other = copy.deepcopy(chain)
                fields = other[place][1]
                if change == "change":
                    fields[field] = [fields[field], "changed"]
                elif change == "drop":
                    del fields[field]
                else:
                    fields[f"{field}x{len(identity)}yz"] = fields.pop(field)
                yield place, other
        other = copy.deepcopy(chain)
        other[place] = (f"{name}!", identity)
        yield place, other


@given(chains)
def test_any_change_of_any_field_changes_the_key_of_its_stage_and_of_all_behind(
    chain: list,
) -> None:
    keys = [key for _, key in chain_keys(chain)]

    for place, other in changed_once(chain):
        others = [key for _, key in chain_keys(other)]
        assert others[:place] == keys[:place]
        assert not set(others[place:]) & set(keys[place:])


@given(identities, st.randoms())
def test_the_order_of_fields_is_irrelevant(identity: dict, chance: random.Random) -> None:
    items = list(identity.items())
    chance.shuffle(items)

    assert key_of(dict(items)) == key_of(identity)


def test_true_one_and_the_word_are_three_things() -> None:
    assert len({key_of({"x": value}) for value in (True, 1, "1", 1.5, None, [1])}) == 6


def test_a_key_is_the_hash_of_sorted_json_cut_to_sixteen_characters() -> None:
    text = json.dumps(["", "encoder", {"a": 1, "b": [1, 2]}], separators=(",", ":"))

    [(name, key)] = chain_keys([("encoder", {"b": (1, 2), "a": 1})])

    assert name == "encoder"
    assert key == hashlib.sha256(text.encode()).hexdigest()[:16]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object()])
def test_what_is_no_plain_json_is_refused(value: object) -> None:
    with pytest.raises(
        PlanError, match="the parts of a key must be plain JSON with finite numbers"
    ):
        key_of({"x": value})
