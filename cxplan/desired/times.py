"""Instants: RFC 3339 with an offset, turned into UTC; the machine's own zone is never used."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from cxplan.desired.faults import Keys, Sheet

_INSTANT = re.compile(
    r"2\d{3}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?"
    r"(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)?",
    re.ASCII,
)
_EXAMPLE = '"2026-11-26T08:00:00-05:00"'
_NO_INSTANT = (
    "time.format",
    "This is not a time.",
    f"Write date (from the year 2000 on), T, time and offset, such as {_EXAMPLE}.",
)
_NO_OFFSET = (
    "time.offset",
    "This time has no offset from UTC, so it would be another one on another machine.",
    f"Write Z or ±hh:mm after it, such as {_EXAMPLE}.",
)
_NO_DAY = ("time.format", "This day does not exist.", "Correct the date.")


def instant(sheet: Sheet, keys: Keys, value: Any) -> datetime | None:
    """Read an instant and return it in UTC."""
    if value.__class__ is not str:
        sheet.mistyped(keys, value, "a time in quotes", f"Write it such as {_EXAMPLE}.")
        return None
    form = _INSTANT.fullmatch(value)
    if form is None:
        sheet.fault(_NO_INSTANT[0], keys, *_NO_INSTANT[1:])
        return None
    if form.group(1) is None:
        sheet.fault(_NO_OFFSET[0], keys, *_NO_OFFSET[1:])
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except ValueError:
        sheet.fault(_NO_DAY[0], keys, *_NO_DAY[1:])
        return None


def in_order(sheet: Sheet, keys: Keys, found: dict[str, Any]) -> None:
    """Report a period whose ``until`` is not after its ``from``; what is missing is not judged."""
    start, end = found.get("from"), found.get("until")
    if start is not None and end is not None and end <= start:
        sheet.fault(
            "time.order",
            (*keys, "until"),
            "The end is not after the beginning.",
            "Write a later time: until is the first instant that no longer counts.",
        )
