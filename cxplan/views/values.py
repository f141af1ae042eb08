"""Single values in words: levels by name, modes by the catalogue's name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from cxplan.core.diff import CONCURRENT, LEVEL, WORK_MODE, Change, Value
from cxplan.core.ids import OFF, WorkModeId
from cxplan.core.plan import Vocabulary
from cxplan.views.encoder import show


def value_text(vocabulary: Vocabulary, part: str, value: Value) -> str:
    """Return one value of a path that ends in ``part``, such as ``standard (5)``."""
    if value is None:
        return "none"
    if part == WORK_MODE:
        return show(vocabulary.modes.get(WorkModeId(str(value)), str(value)))
    if part == LEVEL:
        return _level(vocabulary, int(value))
    return f"{value}"


def _level(vocabulary: Vocabulary, level: int) -> str:
    if level == OFF:
        return "disabled"
    name = next((n for n, number in vocabulary.levels.names.items() if number == level), None)
    return f"{show(name)} ({level})" if name else f"level {level}"


def change_text(vocabulary: Vocabulary, change: Change) -> str:
    """Return ``before → after`` of a change, or only what is added."""
    after = value_text(vocabulary, change.part, change.after)
    if change.part == CONCURRENT and change.because is None:
        after = f"{after} (default)"
    if change.before is None and change.part != WORK_MODE:
        return after
    before = value_text(vocabulary, change.part, change.before)
    return f"{before} → {after}"


def columns(rows: Sequence[Sequence[str]], gap: int = 2) -> list[str]:
    """Return rows as lines whose cells are aligned; empty columns and trailing blanks are cut."""
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = zip(row, widths, strict=True)
        filled = (cell.ljust(width + gap) for cell, width in cells if width)
        lines.append("".join(filled).rstrip())
    return lines


def span_text(passed: timedelta) -> str:
    """Return a time that has passed in its two largest units, such as ``3 d 4 h``."""
    hours, minutes = divmod(passed // timedelta(minutes=1), 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"))
    found = [f"{number:,} {unit}" for number, unit in parts if number]
    return " ".join(found[:2]) or "less than a minute"
