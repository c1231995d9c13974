"""A study's text as values with lines: what ruamel's own loader reads, with aliases in bounds."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from ablations.errors import StudyError
from ablations.study import yaml_file
from ablations.study.catalogue import PUBLISHED, STUDIES
from ablations.study.yaml_file import YamlFile, read_yaml

ODD = """\
name: "quoted \\u00fc"
numbers: [1, 0x1f, 0o17, 1_000, -2, 1.5e-3, .5, 1., .inf, 1e3]
words: [yes, no, on, off, ~, null, true, False, '1', "0.5"]
text: >-
  folded
  text
kept: |
  a
   b
256: {0.5: a, true: b}
empty:
list:
  - - a
    - {b: c}
  -
"""


def written(folder: Path, text: str) -> YamlFile:
    (folder / "x.yaml").write_text(text, encoding="utf-8")
    return read_yaml(folder / "x.yaml")


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(StudyError) as caught:
        written(folder, text)
    (message,) = caught.value.sentences
    return message.removeprefix(str(folder / "x.yaml"))


@pytest.mark.parametrize("path", [*STUDIES.rglob("*.yaml"), *PUBLISHED.glob("*.yaml")], ids=str)
def test_shipped_files_are_read_as_ruamel_reads_them(path: Path) -> None:
    def named(value: object) -> object:
        if isinstance(value, dict):
            return {str(key): named(inner) for key, inner in value.items()}
        return [named(item) for item in value] if isinstance(value, list) else value

    expected = named(YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")))

    assert read_yaml(path).content == expected


def test_odd_spellings_are_read_by_yaml_1_2(tmp_path: Path) -> None:
    content = written(tmp_path, ODD).content
    expected = YAML(typ="safe", pure=True).load(ODD)

    assert content["256"] == {"0.5": "a", "true": "b"}
    for key in ("name", "numbers", "words", "text", "kept", "empty", "list"):
        assert content[key] == expected[key], key
    assert content["words"][:4] == ["yes", "no", "on", "off"]


def test_an_alias_stands_for_its_anchors_value_wherever_it_is(tmp_path: Path) -> None:
    file = written(tmp_path, "a: &crop {kind: crop}\nb:\n  - *crop\n  - *crop\nc: &s 0.5\nd: *s\n")

    assert file.content == {
        "a": {"kind": "crop"},
        "b": [{"kind": "crop"}, {"kind": "crop"}],
        "c": 0.5,
        "d": 0.5,
    }
    assert file.content["b"][0] is not file.content["b"][1]
    assert (file.line(("b", 1)), file.line(("b", 1, "kind")), file.line(("d",))) == (4, 1, 6)


def test_the_last_anchor_of_a_name_counts(tmp_path: Path) -> None:
    assert written(tmp_path, "a: &x 1\nb: &x 2\nc: *x\n").content["c"] == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: *gone\n", ":2: "),
        ("a: &a\n  b: *a\n", ":2: alias *a is inside the value of its own anchor; remove it"),
        ("a: &a [1, *a]\n", ":1: alias *a is inside"),
        ("a: {<<: {b: 1}}\n", ":1: merging with << is not allowed"),
        ("x: &x {b: 1}\na:\n  <<: *x\n", ":3: merging with << is not allowed"),
        ("a: 1\nb: 2\na: 3\n", (":3: a: a key may occur only once in a mapping, but this one is on "
                                "line 1 and line 3")),
        ("a: {1: x, '1': y}\n", (":1: 1: a key may occur only once in a mapping, but this one is on "
                                "line 1 twice")),
        ("a: 1\n---\nb: 1\n", ":2: a study file must contain a single YAML document"),
        ("%YAML 1.1\n---\na: yes\n", ":1: directives (%YAML, %TAG) are not allowed"),
        ("a: 1\nb: !!str 3\n", ":2: tags are not allowed"),
        ("a:\n  2026-01-01\n", ":2: a value must be a string, a number"),
        (f"a: 1\nb: {'9' * 5000}\n", (":2: '9999999999999999999999999999999999999...' is not a "
                                     "valid number")),
        ("? [a, b]\n: 1\n", ":1: a key must be a string or a number, got a list"),
        ("a: " + "[" * 60_000, ":1: values may be nested at most 40 deep"),
        ("".join(f"{' ' * i}a:\n" for i in range(60)), ":41: values may be nested at most 40 deep"),
    ],
)  # fmt: skip
def test_what_a_study_may_not_hold_is_refused_with_its_line(
    tmp_path: Path, text: str, words: str
) -> None:
    assert words in refusal(tmp_path, text)


def test_a_file_that_cannot_be_read_is_refused_with_the_reason(tmp_path: Path) -> None:
    place = tmp_path / ("x" * 300)

    with pytest.raises(StudyError) as caught:
        read_yaml(place)

    assert caught.value.sentences == (
        f"{place}: the study file cannot be read: file name too long",
    )


def test_a_character_that_yaml_does_not_allow_is_named_with_its_line(tmp_path: Path) -> None:
    message = refusal(tmp_path, 'name: mine\n# note\ntitle: "\x07"\n')

    assert message == ":3: YAML does not allow the character U+0007; remove it"


def test_a_bomb_of_aliases_is_refused_where_it_grows_too_large(tmp_path: Path) -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]

    message = refusal(tmp_path, "\n".join(rows) + "\n")

    assert message.startswith(":5: a study may have at most 40000 keys and values")


def test_aliases_may_not_nest_deeper_than_what_is_written_out(tmp_path: Path) -> None:
    rows = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 60)]

    assert ":40: values may be nested at most 40 deep" in refusal(tmp_path, "\n".join(rows) + "\n")


def test_the_bound_counts_keys_and_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: {b: 1, c: 2}\nd: &d [3, 4]\ne: *d\n"
    held = 1 + 2 + 2 * 2 + 2 + 2 + 1 + 3  # the top, a, its members, d, its items, e, the list again

    monkeypatch.setattr(yaml_file, "MOST_VALUES", held)
    assert written(tmp_path, text).content["e"] == [3, 4]
    monkeypatch.setattr(yaml_file, "MOST_VALUES", held - 1)
    assert refusal(tmp_path, text).startswith(":3: a study may have at most")
