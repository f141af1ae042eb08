"""The short way for plain lines must never differ from what the parser's events say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxplan.desired.document import read_document
from cxplan.desired.faults import Faults, Keys, Sheet, Spot
from cxplan.desired.lines import read_lines
from cxplan.desired.places import Places
from cxplan.desired.reader import c_events

PLAIN = """\
---
# a comment
team: Billing East   # another
"profile": 'core 1'
members:

  a.okafor: {id: "agent-0001", labels: {}}
    # deeper than the rest
  b.lindqvist:
    id: "x # y: {z}"
    skills:
      chat: {level: standard , concurrent: 2}
      voice: 7
  c: {}
"""

OVERRIDE = """\
override: CHG-1057
reason: Covers retention, 2 weeks   # not plain: a comma
from:  "2026-11-16T09:00:00-05:00"   # quoted
until: '2026-11-30T14:00:00Z'
match: {labels: {site: "boston: 2"}}
set:
  skills:
    chat: {level: standard, concurrent: 2}
"""

NOT_PLAIN = {
    "a time without quotes": "from: 2026-11-16T09:00:00-05:00\n",
    "a list": "a:\n  - b\n",
    "a flow list": "a: [b]\n",
    "no value": "a:\n",
    "no value, a sibling below": "a:\nb: c\n",
    "null": "a: null\n",
    "a value and a block": "a: b\n  c: d\n",
    "a value over two lines": "a: b\n  c\n",
    "a block text": "a: |\n  b\n",
    "an anchor": "a: &x b\n",
    "a tag": "a: !x b\n",
    "a key that is a number": "4: b\n",
    "a key that is true": "true: b\n",
    "a number as a key in braces": "a: {4: b}\n",
    "twice": "a: b\na: c\n",
    "twice in braces": "a: {b: c, b: d}\n",
    "a brace left open": "a: {b: c\n",
    "braces closed twice": "a: {b: c}}\n",
    "no comma": "a: {b: c d: e}\n",
    "two commas": "a: {b: c,, d: e}\n",
    "something after the braces": "a: {b: c} {d: e}\n",
    "a tab": "\ta: b\n",
    "two documents": "a: b\n---\na: c\n",
    "an odd indent": "a:\n    b: c\n  d: e\n",
    "an indent at the top": "  a: b\n",
    "a colon in a value": "a: b: c\n",
    "an escape": 'a: "\\x41"\n',
    "a comment without a space": "a: b#c\n",
    "a long key": f"{'k' * 201}: b\n",
    "deep": "".join(f"{' ' * depth}k:\n" for depth in range(12)) + f"{' ' * 12}k: v\n",
    "nothing": "# nothing\n",
}


def by_events(text: str) -> tuple[Any, Faults]:
    faults = Faults()
    return read_document(Sheet("x.yaml", faults), text, c_events), faults


def test_a_file_of_plain_lines_takes_the_short_way() -> None:
    data, faults = by_events(PLAIN)
    assert data is not None
    assert not faults.found
    assert read_lines(PLAIN) == data
    assert data["members"]["b.lindqvist"] == {
        "id": "x # y: {z}",
        "skills": {"chat": {"level": "standard", "concurrent": 2}, "voice": 7},
    }


def test_an_override_takes_the_short_way_and_its_times_are_text() -> None:
    assert read_lines(OVERRIDE) is None
    text = OVERRIDE.replace("retention, 2 weeks", "retention")
    agree(text)
    data = read_lines(text)
    assert data is not None
    assert (data["from"], data["until"]) == ("2026-11-16T09:00:00-05:00", "2026-11-30T14:00:00Z")


@pytest.mark.parametrize("text", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_any_doubt_is_left_to_the_events(text: str) -> None:
    assert read_lines(text) is None


PIECES = st.sampled_from(
    [
        *"abk: \n",
        *["  ", "    ", "\n  ", "\n    ", "{", "}", ", ", ": ", ":\n", "#", " #", '"', "'", "- "],
        *["0", "7", "-3", "010", "true", "null", "a: b\n", "k: {a: b}\n", "---\n", "é", "\t", "/"],
    ]
)


def agree(text: str) -> None:
    short = read_lines(text)
    if short is None:
        return
    data, faults = by_events(text)
    assert not faults.found
    assert short == data
    assert repr(short) == repr(data)
    plain, events = Places(text, True, c_events), Places(text, False, c_events)
    for keys in paths(data):
        for spot in (Spot(keys), Spot(keys, on_key=True), Spot((*keys, "missing"))):
            assert plain.find(spot) == events.find(spot)


def paths(value: Any, above: Keys = ()) -> list[Keys]:
    if not isinstance(value, dict):
        return [above]
    return [above, *(path for key, inner in value.items() for path in paths(inner, (*above, key)))]


LINES = st.lists(
    st.tuples(
        st.sampled_from(["", "  ", "    ", " "]),
        st.sampled_from(["a", "b", "k1", '"q k"', "'s'", "x.y", "true", "7", "NO", "a/b", "# c"]),
        st.sampled_from([": ", ": ", ":", "", " : "]),
        st.sampled_from(
            [
                "v",
                "7",
                '"s: #"',
                '"2026-11-16T09:00:00Z"',
                "two words",
                "{}",
                "{a: b}",
                "{a: {b: 1}, c: 'd'}",
            ]
        )
        | st.sampled_from(["", "", "true", "null", "# c", "v # c", "v#c", "{a: b, a: c}", "010"]),
    ).map("".join),
    max_size=8,
)


@settings(deadline=None)
@given(LINES.map("\n".join))
def test_random_lines_are_read_alike(text: str) -> None:
    agree(text)


@settings(deadline=None)
@given(st.data())
def test_a_plain_file_that_is_spoilt_is_read_alike(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(PLAIN)))
    cut = data.draw(st.integers(0, 6))
    agree(PLAIN[:at] + data.draw(st.lists(PIECES, max_size=3).map("".join)) + PLAIN[at + cut :])


def test_the_plain_file_is_located_alike() -> None:
    agree(PLAIN)
