"""The tenant's file, its levels, and the catalogue: what the other files build on."""

from __future__ import annotations

import re
from typing import Any

from cxplan.core.ids import SCHEDULED
from cxplan.core.model import Category, Levels, Off
from cxplan.desired.content import ModeEntry, ModesFile, SkillEntry, SkillsFile, TenantFile
from cxplan.desired.faults import Keys, Sheet, Spot, named
from cxplan.desired.fields import (
    MAX_CONCURRENT,
    Shape,
    each,
    identifier,
    name,
    one_of,
    time_zone,
    whole,
    word,
)

API_VERSION = "cxplan/v1"
API = "availability-v2"
DEFAULT_LEVELS = Levels(best=1, worst=20)
"""The scale where the tenant's file states none: the proficiencies of CXone."""

_MAX_LEVEL = 1_000
_LEVEL_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}", re.ASCII)
_ZERO = "Level 0 is written as the word disabled, and needs no name."


def _api_version(sheet: Sheet, keys: Keys, value: Any) -> str | None:
    if value == API_VERSION:
        return API_VERSION
    sheet.fault(
        "schema.version",
        keys,
        "This version of cxplan reads another version of the language.",
        f"Write {API_VERSION}, or take the version of cxplan that these files were written for.",
    )
    return None


def _api(sheet: Sheet, keys: Keys, value: Any) -> str | None:
    if value == "admin":
        sheet.fault(
            "language.unsupported",
            keys,
            '"admin" is not supported by this version yet.',
            f"Write {API}.",
        )
        return None
    found: str | None = one_of(API)(sheet, keys, value)
    return found


_LEVELS = Shape(
    "levels",
    {
        "best": whole(1, _MAX_LEVEL, _ZERO),
        "worst": whole(1, _MAX_LEVEL, _ZERO),
        "names": each(whole(1, _MAX_LEVEL, _ZERO), "level names", reserved=tuple(Off)),
    },
    required=("best", "worst"),
)


def _levels(sheet: Sheet, keys: Keys, value: Any) -> Levels | None:
    found = _LEVELS.read(sheet, keys, value)
    if found is None:
        return None
    levels = Levels(found["best"], found["worst"], found.get("names") or {})
    if levels.best == levels.worst:
        sheet.fault(
            "schema.range",
            (*keys, "worst"),
            "Best and worst are one number.",
            "Write the two ends of the scale.",
        )
    _check_names(sheet, (*keys, "names"), levels)
    return levels


def _check_names(sheet: Sheet, keys: Keys, levels: Levels) -> None:
    first: dict[int, str] = {}
    for level, number in levels.names.items():
        inner = (*keys, level)
        if not _LEVEL_NAME.fullmatch(level):
            sheet.fault(
                "schema.value",
                Spot(inner, on_key=True),
                "This is no name for a level.",
                "Begin with a letter and go on with letters, digits, dots or hyphens.",
            )
        if not levels.allows(number):
            sheet.fault(
                "schema.range",
                inner,
                f"{number} is not within {levels.best} (best) to {levels.worst} (worst).",
                "Correct the number, or the ends of the scale.",
            )
        if number in first:
            sheet.twice(
                "schema.duplicate",
                Spot(inner),
                f"The level {number} has two names{named(first[number])} and{named(level)}.",
                (sheet.file, Spot((*keys, first[number]))),
                "Keep one of them: a plan must know which to print.",
            )
        first.setdefault(number, level)


TENANT = Shape(
    "the tenant's file",
    {
        "apiVersion": _api_version,
        "tenant": name,
        "api": _api,
        "timeZone": time_zone,
        "levels": _levels,
    },
    required=("apiVersion", "tenant", "api"),
)


def tenant_file(found: dict[str, Any]) -> TenantFile:
    """Return what the tenant's file says."""
    return TenantFile(
        found["tenant"], found["api"], found.get("timeZone"), found.get("levels") or DEFAULT_LEVELS
    )


_SKILL_ENTRY = Shape(
    "a skill of the catalogue",
    {"id": identifier, "channel": word, "maxConcurrent": whole(1, MAX_CONCURRENT)},
    required=("id",),
)


def _skill_entry(sheet: Sheet, keys: Keys, value: Any) -> SkillEntry | None:
    found = _SKILL_ENTRY.read(sheet, keys, value)
    if found is None:
        return None
    return SkillEntry(found["id"], found.get("channel"), found.get("maxConcurrent"))


_MODE_ENTRY = Shape(
    "a work mode of the catalogue",
    {"id": identifier, "category": one_of(*Category)},
    required=("id", "category"),
)


def _mode_entry(sheet: Sheet, keys: Keys, value: Any) -> ModeEntry | None:
    found = _MODE_ENTRY.read(sheet, keys, value)
    return ModeEntry(found["id"], Category(found["category"])) if found else None


SKILLS = Shape("a file of skills", {"skills": each(_skill_entry, "skills")}, required=("skills",))
MODES = Shape(
    "a file of work modes",
    {"workModes": each(_mode_entry, "work modes", reserved=(SCHEDULED,))},
    required=("workModes",),
)


def skills_file(found: dict[str, Any]) -> SkillsFile:
    """Return the skills of a catalogue file."""
    return SkillsFile(found["skills"])


def modes_file(found: dict[str, Any]) -> ModesFile:
    """Return the work modes of a catalogue file."""
    return ModesFile(found["workModes"])
