"""Strict JSON in, canonical bytes out, held against published vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from cxplan.core.canonical import StrictJsonError, canonical, digest, parse_json, signed_form

VECTORS = Path(__file__).parents[1] / "vectors"
SUITE = sorted((VECTORS / "jsontestsuite" / "test_parsing").glob("*.json"))
DUPLICATES = {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}


@pytest.mark.parametrize("path", SUITE, ids=lambda path: path.name)
def test_the_suite_is_accepted_and_refused_as_it_says(path: Path) -> None:
    data = path.read_bytes()
    if path.name.startswith("y_") and path.name not in DUPLICATES:
        assert parse_json(data) == json.loads(data)
    elif path.name.startswith("i_"):
        _refuse_or_round_trip(data)
    else:
        with pytest.raises(StrictJsonError):
            parse_json(data)


def _refuse_or_round_trip(data: bytes) -> None:
    """What the suite leaves open is refused, or means to others what it means to us."""
    try:
        value = parse_json(data)
    except StrictJsonError:
        return
    assert json.loads(json.dumps(value)) == value


def test_the_suite_is_whole() -> None:
    assert len(SUITE) == 318
    assert {path.name for path in SUITE} > DUPLICATES


@pytest.mark.parametrize("name", ["arrays", "french", "structures", "unicode", "values", "weird"])
def test_canonical_form_is_that_of_rfc_8785(name: str) -> None:
    folder = VECTORS / "jcs" / "testdata"
    value = json.loads((folder / "input" / f"{name}.json").read_bytes())
    assert canonical(value) == (folder / "output" / f"{name}.json").read_bytes()


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
_NAMES = st.text() | st.sampled_from(["\ufb33", "\U0001f600", "a", "A"])
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner) | st.dictionaries(_NAMES, inner), max_leaves=20
)


@given(_VALUES)
def test_the_short_way_writes_what_the_library_writes(value: Any) -> None:
    try:
        expected = rfc8785.dumps(value)
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            canonical(value)
    else:
        assert canonical(value) == expected


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"a":1,"a":2}', "json.duplicate"),
        (b'{"a":{"b":1,"\\u0062":2}}', "json.duplicate"),
        (b"NaN", "json.number"),
        (b"[-Infinity]", "json.number"),
        (b"1e999", "json.number"),
        (b"9007199254740992", "json.number"),
        (b"9" * 5000, "json.number"),
        (b'"\\ud800"', "json.surrogate"),
        (b'"\xff"', "json.encoding"),
        (b"[" * 100_000, "json.depth"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "json.depth"),
        (b"{", "json.syntax"),
        (b"", "json.syntax"),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(StrictJsonError) as caught:
        parse_json(data)
    assert caught.value.code == code


def test_brackets_in_strings_are_no_depth() -> None:
    text = "[{" * 200
    assert parse_json(json.dumps([text, '\\"']).encode()) == [text, '\\"']


def test_depth_64_is_accepted() -> None:
    assert parse_json(b"[" * 64 + b"]" * 64)


def test_signed_form_is_sorted_ascii_without_floats() -> None:
    assert signed_form({"b": "é", "a": [1, None, True]}) == b'{"a":[1,null,true],"b":"\\u00e9"}'
    with pytest.raises(ValueError, match="integers only"):
        signed_form({"a": [{"b": 1.0}]})


def test_digest_does_not_depend_on_the_order_of_members() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
