"""Long lines on a narrow terminal: broken at blanks, indented, nothing lost."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from cxplan.views.wrapping import wrap

ROW = (
    "  ~ skills/retention-voice-en/level  trainee (12) → standard (5)  better  teams/east.yaml:5\n"
)


def test_a_row_is_broken_before_the_place() -> None:
    assert wrap(ROW, 80) == (
        "  ~ skills/retention-voice-en/level  trainee (12) → standard (5)  better\n"
        "      teams/east.yaml:5\n"
    )
    assert wrap(ROW, 140) == ROW


def test_colour_takes_no_room() -> None:
    painted = f"\x1b[33m{ROW[:-1]}\x1b[0m\n"
    lines = wrap(painted, 80).splitlines()
    assert lines[0].endswith("better")
    assert lines[1] == "      teams/east.yaml:5\x1b[0m"
    exact = f"\x1b[33m{'x' * 50}\x1b[0m\n"
    assert wrap(exact, 50) == exact


def test_a_very_narrow_terminal_is_left_alone() -> None:
    assert wrap(ROW, 20) == ROW


LINES = st.lists(st.text(alphabet="ab →\u00e9", max_size=150), max_size=5)


@given(LINES, st.integers(40, 100))
def test_no_word_is_lost_and_no_line_is_too_long(lines: list[str], width: int) -> None:
    text = "".join(f"{line}\n" for line in lines)
    wrapped = wrap(text, width)
    assert wrapped.split() == text.split()
    for line in wrapped.splitlines():
        words = re.findall(r"\S+", line)
        assert len(line) <= width or len(words) <= 1
