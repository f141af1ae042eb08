"""Skills, work modes, members, teams and profiles, as they are written."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cxplan.core.model import Off
from cxplan.desired.content import MemberEntry, Part, ProfileFile, Setting, TeamFile
from cxplan.desired.faults import Keys, Sheet
from cxplan.desired.fields import (
    MAX_CONCURRENT,
    Reader,
    Shape,
    each,
    identifier,
    labels,
    name,
    time_zone,
    truth,
    whole,
)

_NO_LABELS: Mapping[str, str] = {}


@lru_cache(maxsize=4096, typed=True)
def _setting(level: str | int | None, concurrent: int | None) -> Setting:
    """Return the one object for a combination: a tree holds few, and uses each many times."""
    return Setting(level, concurrent)


_OFF = {off.value: Setting(off=off) for off in Off}
_ZERO = "Write disabled for a skill that is assigned but switched off."


def _level(sheet: Sheet, keys: Keys, value: Any) -> str | int | None:
    if value.__class__ not in (str, int):
        sheet.mistyped(keys, value, "a level", "Write a level's name, or its number unquoted.")
        return None
    if value in _OFF:
        sheet.fault(
            "schema.value",
            keys,
            f'"{value}" is no level: it stands in place of level and concurrent.',
            f"Write it right after the skill's name: {value}.",
        )
        return None
    return value


_LONG_SKILL = Shape("a skill", {"level": _level, "concurrent": whole(1, MAX_CONCURRENT, _ZERO)})


def _skill(sheet: Sheet, keys: Keys, value: Any) -> Setting | None:
    """Read what ``_usual`` does not take: faults, and the rare long forms."""
    if value.__class__ is dict and value:
        found = _LONG_SKILL.read(sheet, keys, value)
        return _setting(found.get("level"), found.get("concurrent")) if found else None
    what = "a level, disabled, absent or {level: …, concurrent: …}"
    hint = "Write a level's name or number, disabled or absent."
    if value == {}:
        sheet.fault("schema.type", keys, f"{{}} says nothing where {what} is expected.", hint)
    else:
        sheet.mistyped(keys, value, what, hint)
    return None


def _usual(value: Any) -> Setting | None:
    """Return what nearly every skill says, or None where a closer look is needed."""
    kind = value.__class__
    if kind is str:
        return _OFF.get(value) or _setting(value, None)
    if kind is int:
        return _setting(value, None)
    if kind is not dict or value.keys() != _LONG_SKILL.fields.keys():
        return None
    # By class and not by isinstance: true is an int in Python, and equals 1.
    level, concurrent = value["level"], value["concurrent"]
    plain = level.__class__ in (int, str) and concurrent.__class__ is int and level not in _OFF
    return _setting(level, concurrent) if plain and 0 < concurrent <= MAX_CONCURRENT else None


def _skills(sheet: Sheet, keys: Keys, value: Any) -> dict[str, Setting] | None:
    if value.__class__ is not dict:
        sheet.mistyped(keys, value, "a map of skills", "Write one key for each.")
        return None
    read = ((name, _usual(raw) or _skill(sheet, (*keys, name), raw)) for name, raw in value.items())
    return {name: setting for name, setting in read if setting is not None}


VALUES: dict[str, Reader] = {"workMode": name, "skills": _skills}
"""The values that any layer may set."""

_BLOCK: dict[str, Reader] = {**VALUES, "exclusive": truth}


def part(found: dict[str, Any], profile: str = "") -> Part:
    """Return what a layer says; ``profile`` is the key under which it names one, if any."""
    return Part(
        found.get(profile),
        found.get("workMode"),
        found.get("skills") or {},
        found.get("exclusive"),
    )


_MEMBER = Shape(
    "a member",
    {"id": identifier, "profile": name, **_BLOCK, "labels": labels, "protected": truth},
)


def _member(sheet: Sheet, keys: Keys, value: Any) -> MemberEntry | None:
    found = _MEMBER.read(sheet, keys, value)
    if found is None:
        return None
    return MemberEntry(
        found.get("id"),
        part(found, "profile"),
        found.get("labels") or _NO_LABELS,
        found.get("protected") or False,
    )


def team_file(found: dict[str, Any]) -> TeamFile:
    """Return what a team's file says."""
    return TeamFile(
        found["team"],
        part(found, "profile"),
        found.get("timeZone"),
        found.get("labels") or _NO_LABELS,
        found["members"],
    )


def profile_file(found: dict[str, Any]) -> ProfileFile:
    """Return what a profile's file says."""
    return ProfileFile(found["profile"], part(found, "extends"))


TEAM = Shape(
    "a team file",
    {
        "team": name,
        "profile": name,
        "timeZone": time_zone,
        "labels": labels,
        **_BLOCK,
        "members": each(_member, "members"),
    },
    required=("team", "members"),
)

PROFILE = Shape(
    "a profile file",
    {"profile": name, "extends": name, **_BLOCK},
    required=("profile",),
)
