"""The guards' file: limits that a plan may not pass; what is left out keeps its default."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cxplan.core.rules import GuardSettings, Limit, Policy, ShiftPolicy
from cxplan.desired.content import GuardsFile
from cxplan.desired.faults import Keys, Sheet
from cxplan.desired.fields import Reader, Shape, one_of, whole

OFF = "off"
MAX_AGENTS = 100_000
MAX_GRACE_MINUTES = 240

_MAX_COUNT = 10_000_000
_DEFAULTS = GuardSettings()


def _limit(default: Limit | None) -> Reader:
    """Return a reader of ``{percent, orAtLeast, atMost}`` or ``off``."""
    base = default or Limit(0, 0, 0)

    def read(sheet: Sheet, keys: Keys, value: Any) -> Limit | str | None:
        if value == OFF:
            return OFF
        found = _LIMIT.read(sheet, keys, value)
        if found is None or None in found.values():
            return None
        if found.get("orAtLeast", 0) > found.get("atMost", _MAX_COUNT):
            sheet.fault(
                "schema.range",
                (*keys, "orAtLeast"),
                f"{found['orAtLeast']} is over atMost ({found['atMost']}), so it never counts.",
                "Write a smaller number, or a greater atMost.",
            )
        return Limit(
            found.get("percent", base.percent),
            found.get("orAtLeast", base.or_at_least),
            found.get("atMost", base.at_most),
        )

    return read


_LIMIT = Shape(
    "a limit",
    {
        "percent": whole(0, 100),
        "orAtLeast": whole(0, _MAX_COUNT),
        "atMost": whole(0, _MAX_COUNT),
    },
)


def _policy(sheet: Sheet, keys: Keys, value: Any) -> Policy | None:
    found = _POLICY(sheet, keys, value)
    return Policy(found) if found else None


_POLICY = one_of(*Policy)
_SHIFT_FIELDS = {
    "noActiveShift": "no_active_shift",
    "modeConflict": "mode_conflict",
    "unreadable": "unreadable",
    "skillsOffShift": "skills_off_shift",
    "graceMinutes": "grace_minutes",
}
_SHIFTS = Shape(
    "guards.shifts",
    {
        **dict.fromkeys(_SHIFT_FIELDS, _policy),
        "graceMinutes": whole(0, MAX_GRACE_MINUTES, f"At most {MAX_GRACE_MINUTES} minutes."),
    },
)


def _shifts(sheet: Sheet, keys: Keys, value: Any) -> ShiftPolicy | None:
    found = _SHIFTS.read(sheet, keys, value)
    if found is None or None in found.values():
        return None
    return replace(ShiftPolicy(), **{_SHIFT_FIELDS[key]: part for key, part in found.items()})


_TAKE_OUT = "Take it out: a guard that is written and does nothing would deceive."

_GUARDS = Shape(
    "the guards",
    {
        "maxAgentsChanged": _limit(_DEFAULTS.max_agents_changed),
        "maxSkillsRemoved": _limit(_DEFAULTS.max_skills_removed),
        "noAgentWithoutSkill": one_of("deny", OFF),
        "shifts": _shifts,
    },
    later=dict.fromkeys(("totalConcurrent", "minCoverage", "freeze", "overrides"), _TAKE_OUT),
)

GUARDS = Shape("the guards' file", {"guards": _GUARDS.read}, required=("guards",))


def guards_file(found: dict[str, Any]) -> GuardsFile:
    """Return the guards, with defaults for what the file leaves out."""
    written = found["guards"]
    return GuardsFile(
        GuardSettings(
            _or_off(written.get("maxAgentsChanged", _DEFAULTS.max_agents_changed)),
            _or_off(written.get("maxSkillsRemoved", _DEFAULTS.max_skills_removed)),
            no_agent_without_skill=written.get("noAgentWithoutSkill") != OFF,
            shifts=written.get("shifts") or ShiftPolicy(),
        )
    )


def _or_off(limit: Any) -> Limit | None:
    return limit if isinstance(limit, Limit) else None
