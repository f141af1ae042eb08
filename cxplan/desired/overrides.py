"""The file of an override: a change with a beginning and an end, for those who match."""

from __future__ import annotations

from typing import Any

from cxplan.desired.blocks import VALUES, part
from cxplan.desired.content import MatchEntry, OverrideFile, Part
from cxplan.desired.faults import Keys, Sheet, Spot
from cxplan.desired.fields import Reader, Shape, distinct, labelled, name
from cxplan.desired.times import in_order, instant

NO_MATCH = "override.match"

_NAMING = ("teams", "agents", "labels")
_NAME_SOME = f"Write whom it is for, by {', '.join(_NAMING)}, or several of them."


def _asking(read: Reader) -> Reader:
    """Return ``read`` but for what is empty: it would ask nothing, and so mean everybody."""

    def read_some(sheet: Sheet, keys: Keys, value: Any) -> Any:
        if value not in ([], {}):
            return read(sheet, keys, value)
        sheet.fault(
            NO_MATCH,
            keys,
            "This is empty, so it would match nobody or everybody.",
            "Name at least one, or take it out.",
        )
        return None

    return read_some


def _label(sheet: Sheet, keys: Keys, value: Any) -> tuple[str, ...] | None:
    """Read the value of a label, or a list of values of which any will do."""
    if value.__class__ is list:
        found: tuple[str, ...] | None = _LABEL_VALUES(sheet, keys, value)
        return found
    one = name(sheet, keys, value)
    return None if one is None else (one,)


_LABEL_VALUES = _asking(distinct(name, "values", "The value"))
_MATCH = Shape(
    "the match of an override",
    {
        "teams": _asking(distinct(name, "teams", "The team")),
        "agents": _asking(distinct(name, "agents", "The agent")),
        "labels": _asking(labelled(_label)),
        "exclude": distinct(name, "agents", "The agent"),
    },
)


def _match(sheet: Sheet, keys: Keys, value: Any) -> MatchEntry | None:
    known = len(sheet.faults.found)
    found = _MATCH.read(sheet, keys, value)
    if found is None or len(sheet.faults.found) > known:
        # What is left of a match with faults may match more than what was meant.
        return None
    if not any(key in found for key in _NAMING):
        sheet.fault(NO_MATCH, keys, "This names no teams, no agents and no labels.", _NAME_SOME)
        return None
    return MatchEntry(
        found.get("teams", ()),
        found.get("agents", ()),
        found.get("labels", {}),
        found.get("exclude", ()),
    )


_SET = Shape("the set of an override", VALUES)


def _set(sheet: Sheet, keys: Keys, value: Any) -> Part | None:
    found = _SET.read(sheet, keys, value)
    if found is None:
        return None
    if all(written == {} for written in value.values()):
        sheet.fault(
            "override.set",
            keys,
            "This sets nothing.",
            f"Write {' or '.join(VALUES)} and what the agents are to have.",
        )
    return part(found)


def _check(sheet: Sheet, keys: Keys, found: dict[str, Any]) -> None:
    in_order(sheet, keys, found)
    if "match" not in found:
        spot = Spot((*keys, "match"), on_key=True)
        sheet.fault(NO_MATCH, spot, "This override does not say whom it is for.", _NAME_SOME)


OVERRIDE = Shape(
    "an override file",
    {
        "override": name,
        "from": instant,
        "until": instant,
        "match": _match,
        "set": _set,
        "reason": name,
        "ticket": name,
        "owner": name,
    },
    required=("override", "from", "until", "set"),
    check=_check,
)


def override_file(found: dict[str, Any]) -> OverrideFile | None:
    """Return what an override's file says, or None where it does not say for whom."""
    match = found.get("match")
    if match is None:
        return None
    return OverrideFile(
        found["override"],
        found["from"],
        found["until"],
        match,
        found["set"],
        found.get("reason"),
        found.get("ticket"),
        found.get("owner"),
    )
