"""The guards that are more than a limit: coverage, freeze, and what overrides must be like."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cxplan.core.ids import SkillName
from cxplan.core.rules import Coverage, Freeze, OverrideRules
from cxplan.desired.content import CoverageEntry
from cxplan.desired.faults import Keys, Sheet
from cxplan.desired.fields import (
    MAX_AGENTS,
    Reader,
    Shape,
    distinct,
    many,
    name,
    one_of,
    whole,
)
from cxplan.desired.links import Once
from cxplan.desired.times import in_order, instant

OFF = "off"
MAX_HORIZON_HOURS = 168

_MAX_TOTAL = 10_000
_MAX_DAYS = 3_660
_OVERRIDES = "overrides"


def or_off(read: Reader) -> Reader:
    """Return a reader of the word ``off``, or of what ``read`` reads."""

    def read_one(sheet: Sheet, keys: Keys, value: Any) -> Any:
        return OFF if value == OFF else read(sheet, keys, value)

    return read_one


_TOTAL = Shape(
    "guards.totalConcurrent",
    {"atMost": whole(1, _MAX_TOTAL, "Write off for a guard that is not wanted.")},
    required=("atMost",),
)


def total_concurrent(sheet: Sheet, keys: Keys, value: Any) -> int | None:
    """Read ``{atMost: N}``."""
    found = _TOTAL.read(sheet, keys, value)
    return found["atMost"] if found else None


def _level(sheet: Sheet, keys: Keys, value: Any) -> str | int | None:
    if value.__class__ in (str, int):
        level: str | int = value
        return level
    sheet.mistyped(keys, value, "a level", "Write a level's name, or its number unquoted.")
    return None


_COVERAGE = Shape(
    "a coverage",
    {
        "skill": name,
        "agents": whole(1, MAX_AGENTS, "Write how many agents are needed, or take it out."),
        "levelAtLeast": _level,
        "horizonHours": whole(1, MAX_HORIZON_HOURS),
    },
    required=("skill", "agents"),
)


def _coverage(sheet: Sheet, keys: Keys, value: Any) -> CoverageEntry | None:
    found = _COVERAGE.read(sheet, keys, value)
    if found is None:
        return None
    coverage = Coverage(SkillName(found["skill"]), found["agents"])
    if found.get("horizonHours"):
        coverage = replace(coverage, horizon_hours=found["horizonHours"])
    return CoverageEntry(coverage, found.get("levelAtLeast"), keys)


min_coverage = many(_coverage, "coverages")
"""Reads a list of ``{skill, agents, levelAtLeast, horizonHours}``."""

_FREEZE = Shape(
    "a freeze",
    {
        "name": name,
        "from": instant,
        "until": instant,
        "except": distinct(one_of(_OVERRIDES), "exceptions", "The exception"),
    },
    required=("name", "from", "until"),
    check=in_order,
)


def _freeze(sheet: Sheet, keys: Keys, value: Any) -> Freeze | None:
    found = _FREEZE.read(sheet, keys, value)
    if found is None:
        return None
    return Freeze(
        found["name"], found["from"], found["until"], _OVERRIDES in (found.get("except") or ())
    )


_FREEZES = many(_freeze, "freezes")


def freezes(sheet: Sheet, keys: Keys, value: Any) -> tuple[Freeze, ...] | None:
    """Read a list of ``{name, from, until, except}``; each name stands once."""
    found: tuple[Freeze, ...] | None = _FREEZES(sheet, keys, value)
    once = Once("The freeze", on_key=False)
    for place, written in enumerate(value if found else ()):
        own = written.get("name") if isinstance(written, dict) else None
        if isinstance(own, str):
            once.claim(sheet, own, (*keys, place, "name"))
    return found


_RULE_FIELDS = {
    "maxDays": "max_days",
    "require": "require",
    "denyWhenExpiredDays": "deny_when_expired_days",
}
_RULES = Shape(
    "guards.overrides",
    {
        "maxDays": whole(1, _MAX_DAYS),
        "require": distinct(one_of("reason", "ticket", "owner"), "keys of an override", "The key"),
        "denyWhenExpiredDays": whole(0, _MAX_DAYS),
    },
)


def override_rules(sheet: Sheet, keys: Keys, value: Any) -> OverrideRules | None:
    """Read ``{maxDays, require, denyWhenExpiredDays}``; what is left out keeps its default."""
    found = _RULES.read(sheet, keys, value)
    if found is None or None in found.values():
        return None
    return replace(OverrideRules(), **{_RULE_FIELDS[key]: part for key, part in found.items()})
