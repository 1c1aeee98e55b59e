import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.yaml_lines import MAX_CHARS, MAX_DEPTH, Document, DocumentError, Problems, name_field, name_kind, read

WORDS = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(-1e9, 1e9) | WORDS
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(DATA)
def test_json_is_read_as_json(data):
    assert read(json.dumps(data, ensure_ascii=False, indent="\t"), "x").data == data
    assert read(json.dumps(data), "x").data == data


@settings(max_examples=40, deadline=None)
@given(DATA)
def test_what_yaml_writes_is_read_back(data):
    assert read(yaml.safe_dump(data, allow_unicode=False), "x").data == data


def test_every_field_knows_its_line():
    document = read("name: x\nlinks:\n- {a: 1,\n   b: 2}\n- a: 3\n\nlast:\n  deep: [1,\n    2]\n", "f")
    assert document.data == {"name": "x", "links": [{"a": 1, "b": 2}, {"a": 3}], "last": {"deep": [1, 2]}}
    lines = {name_field(path): line for path, line in document.lines.items()}
    assert lines == {
        "": 1,
        "name": 1,
        "links": 2,
        "links[0]": 3,
        "links[0].a": 3,
        "links[0].b": 4,
        "links[1]": 5,
        "links[1].a": 5,
        "last": 7,
        "last.deep": 8,
        "last.deep[0]": 8,
        "last.deep[1]": 9,
    }


def test_a_place_is_the_nearest_line_known():
    document = read("a:\n  b: 1\n", "f.yaml")
    assert document.place(("a", "b")) == "f.yaml:2: a.b"
    assert document.place(("a", "missing", 3)) == "f.yaml:1: a.missing[3]"
    assert document.place() == "f.yaml:1"
    assert document.under("a").place(("b",)) == "f.yaml:2: a.b"
    assert Document("data", {}).place(("a",)) == "data: a"


@pytest.mark.parametrize(
    ("text", "value"),
    [("yes", True), ("off", False), ("~", None), ("1e9", 1e9), ("0x1f", 31), ("1_000", 1000), ("1:30", "1:30"),
     ("2026-01-01", "2026-01-01"), ("'1'", "1"), ("0x_", "0x_"), ("9" * 5000, "9" * 5000), ("1.5", 1.5)],
)  # fmt: skip
def test_scalars_are_as_expected(text, value):
    assert read(text, "x").data == value


def test_a_file_with_nothing_in_it_is_none():
    assert read("", "x").data is None
    assert read("# only a comment\n", "x").data is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb:\n\t- 2\n", "f:3: indented with a tab; YAML indents with spaces"),
        ("a: 1\nb: 2\na: 3\n", "f:3: a: given twice, first in line 1; keep one"),
        ("x:\n- a: 1\n  a: 2\n", "f:3: x[0].a: given twice, first in line 2; keep one"),
        ("a: &x [1]\nb: *x\n", "f:2: alias *x is not read here; write the value out"),
        ("a: &x [*x]\n", "f:1: alias *x is not read here"),
        ("a: !!python/object:os.system x\n", "f:1: tag tag:yaml.org,2002:python/object:os.system is not read here"),
        ("a: !secret x\n", "f:1: tag !secret is not read here"),
        ("a: 1\n---\nb: 2\n", "f:2: a second document begins; one file holds one"),
        ("? [1, 2]\n: x\n", "f:1: a key must be a plain word"),
        ("a: 1\nb: [1, 2\nc: 3\n", "f:2: is no YAML:"),
        ("a: 'never\nends\n", "f:1: is no YAML:"),
        ("a: 1\nb: c: d\n", "f:2: is no YAML: mapping values are not allowed"),
        ("a: 1\nb: @x\n", "f:2: is no YAML:"),
        ("a: 1\nb: \x01\n", "f:2: holds a control character; save it as plain UTF-8 text"),
        ("[" * 100_000, f"f:1: nested more than {MAX_DEPTH} deep; is it the right file?"),
        ("- " * 100_000, f"f:1: nested more than {MAX_DEPTH} deep"),
        ("#" * (MAX_CHARS + 1), f"f: longer than {MAX_CHARS} characters"),
    ],
)
def test_text_that_is_refused_is_refused_in_one_line(text, message):
    with pytest.raises(DocumentError) as caught:
        read(text, "f")
    assert str(caught.value).startswith(message)
    assert len(caught.value.errors) == 1
    assert "\n" not in str(caught.value)


def test_an_alias_bomb_is_refused_before_it_grows():
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{this}: &{this} [{', '.join([f'*{last}'] * 9)}]\n" for last, this in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with pytest.raises(DocumentError, match="f:2: alias"):
        read(bomb, "f")


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_a_line(text):
    try:
        read(text, "f")
    except DocumentError as error:
        assert all(line.startswith("f:") for line in error.errors)  # noqa: PT017 - either outcome is right


def test_problems_are_told_all_at_once():
    problems = Problems(read("a: 1\nb: 2\n", "f"))
    problems.raise_any()
    problems.add(("a",), "one")
    problems.add(("b",), "two")
    with pytest.raises(DocumentError) as caught:
        problems.raise_any()
    assert caught.value.errors == ("f:1: a: one", "f:2: b: two")


def test_kinds_are_words():
    assert [name_kind(value) for value in (None, True, 1, 1.0, "", [], {}, object())] == [
        "empty", "true or false", "a number", "a number", "text", "a list", "a mapping", "object",
    ]  # fmt: skip


def test_a_field_made_from_another_file_s_words_is_called_by_them():
    document = Document(
        "f", {}, {("links", 0): 7}, names={("links", 0): "edge a-b", ("links", 0, "rate"): "edge a-b: bw"}
    )
    assert document.place(("links", 0)) == "f:7: edge a-b"
    assert document.place(("links", 0, "rate")) == "f:7: edge a-b: bw"
    assert document.place(("links", 0, "ports", 1)) == "f:7: edge a-b: ports[1]"
    assert document.place(("links", 1)) == "f: links[1]"


def test_an_error_is_one_line_without_control_characters():
    assert DocumentError(["a\nb\x1b[31m \u00e9"]).errors == ("a\\nb\\x1b[31m \u00e9",)
