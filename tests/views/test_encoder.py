"""The one encoder: nothing that somebody else wrote can fool a terminal or a reader."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxplan.views.encoder import MAX_LENGTH, show

HOSTILE = [
    ("\x1b]0;pwned\x07", "\\u{001B}]0;pwned\\u{0007}"),
    ("\x1b]8;;https://evil\x1b\\x", "\\u{001B}]8;;https://evil\\u{001B}\\\\x"),
    ("safe\rOVERWRITE", "safe\\u{000D}OVERWRITE"),
    ("a\x08b", "a\\u{0008}b"),
    ("tab\tx", "tab\\u{0009}x"),
    ("\n::error::x", "\\u{000A}::error::x"),
    ("\u202e1001", "\\u{202E}1001"),
    ("a\xadb", "a\\u{00AD}b"),
    ("a\u2028b", "a\\u{2028}b"),
    ("\U000e0041", "\\u{E0041}"),
    ("a\ufffeb", "a\\u{FFFE}b"),
    ("a\u00a0b", "a\\u{00A0}b"),
    ("\ud800", "\\u{D800}"),
    ("back\\slash", "back\\\\slash"),
    ("O\u2019Neill-\u0160m\xedd", "O\u2019Neill-\u0160m\xedd"),
    ("[bold red]x[/]", "[bold red]x[/]"),
    ("plain words", "plain words"),
]


@pytest.mark.parametrize(("text", "shown"), HOSTILE)
def test_hostile_names(text: str, shown: str) -> None:
    assert show(text) == shown


@given(st.text())
def test_nothing_invisible_comes_through(text: str) -> None:
    shown = show(text, 10_000)
    assert all(character.isprintable() for character in shown)
    assert "\n" not in shown


@given(st.text(max_size=50))
def test_two_texts_never_look_the_same(text: str) -> None:
    def back(shown: str) -> str:
        return re.sub(
            r"\\(\\|u\{([0-9A-F]+)\})",
            lambda m: "\\" if m[1] == "\\" else chr(int(m[2], 16)),
            shown,
        )

    assert back(show(text, 10_000)) == text


def test_long_texts_are_cut() -> None:
    assert len(show("x" * 5000)) == MAX_LENGTH
    assert show("x" * 5000).endswith("…")
