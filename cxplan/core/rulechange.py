"""Guards and protections of some files against those of a base: what lets more pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from cxplan.core.instant import utc_text
from cxplan.core.model import Declarations
from cxplan.core.plan import RuleChange
from cxplan.core.rules import Coverage, Freeze, GuardSettings
from cxplan.core.strictness import stricter

_Sides = tuple[Any, ...]
"""A setting before, after, and as strict as both together."""


def rule_changes(base: Declarations, head: Declarations) -> tuple[RuleChange, ...]:
    """Return every difference, the guards in their order, then the members by key.

    A guard of several settings is told setting by setting, under the names that the files use.
    """
    return (*_guards(base.guards, head.guards), *_protections(base, head))


def _guards(base: GuardSettings, head: GuardSettings) -> Iterator[RuleChange]:
    sides = (base, head, stricter(head, base))
    for name, guard in _fields(sides):
        for part, (before, after, strict) in _split(guard):
            if before != after:
                path, looser = f"guards{name}{part}", strict != after
                yield RuleChange(path, _text(before), _text(after), looser)


def _split(sides: _Sides) -> Iterator[tuple[str, _Sides]]:
    """Yield the settings of a guard; one that is off, or was, stays whole."""
    before, after, _ = sides
    if isinstance(after, tuple):
        for name in dict.fromkeys(_name(part) for part in before + after):
            yield f"/{name}", tuple(tuple(p for p in side if _name(p) == name) for side in sides)
    elif is_dataclass(before) and is_dataclass(after):
        yield from _fields(sides)
    else:
        yield "", sides


def _fields(sides: _Sides) -> Iterator[tuple[str, _Sides]]:
    for each in fields(sides[0]):
        yield f"/{_camel(each.name)}", tuple(getattr(side, each.name) for side in sides)


def _camel(name: str) -> str:
    """Return a setting's name as the files write it."""
    first, *more = name.split("_")
    return first + "".join(word.capitalize() for word in more)


def _name(part: Coverage | Freeze) -> str:
    return part.skill if isinstance(part, Coverage) else part.name


def _text(value: Any) -> str:
    """Return a setting in a few words."""
    if isinstance(value, tuple):
        return "; ".join(map(_text, value)) or "none"
    if is_dataclass(value):
        return _record_text(value)
    if value is None or isinstance(value, bool):
        return "deny" if value else "off"
    return str(value)


def _record_text(value: Any) -> str:
    match value:
        case Coverage():
            return _coverage_text(value)
        case Freeze(start=start, end=end, except_overrides=lenient):
            return f"{utc_text(start)} to {utc_text(end)}{', except overrides' if lenient else ''}"
        case _:
            return ", ".join(f"{name[1:]} {_text(part)}" for name, (part,) in _fields((value,)))


def _coverage_text(rule: Coverage) -> str:
    level = "" if rule.level_at_least is None else f" at level {rule.level_at_least} or better"
    return f"at least {rule.agents}{level}, {rule.horizon_hours} hours ahead"


def _protections(base: Declarations, head: Declarations) -> Iterator[RuleChange]:
    before, after = _protected(base), _protected(head)
    for key in sorted(before.keys() | after.keys()):
        was, now = before.get(key, False), after.get(key, False)
        if was != now:
            words = {True: "protected", False: "not protected"}
            yield RuleChange(f"{key}/protected", words[was], words[now], looser=was)


def _protected(declarations: Declarations) -> dict[str, bool]:
    return {member.key: member.protected for team in declarations.teams for member in team.members}
