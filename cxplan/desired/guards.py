"""The guards' file: limits that a plan may not pass; what is left out keeps its default."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cxplan.core.rules import GuardSettings, Limit, Policy, ShiftPolicy
from cxplan.desired.content import GuardsFile
from cxplan.desired.faults import Keys, Sheet
from cxplan.desired.fields import Reader, Shape, one_of, whole
from cxplan.desired.rules import (
    OFF,
    freezes,
    min_coverage,
    or_off,
    override_rules,
    total_concurrent,
)

MAX_GRACE_MINUTES = 240

_MAX_COUNT = 10_000_000
_DEFAULTS = GuardSettings()


def _limit(default: Limit | None) -> Reader:
    """Return a reader of ``{percent, orAtLeast, atMost}``."""
    base = default or Limit(0, 0, 0)

    def read(sheet: Sheet, keys: Keys, value: Any) -> Limit | None:
        found = _LIMIT.read(sheet, keys, value)
        if found is None or None in found.values():
            return None
        least, most = found.get("orAtLeast", 0), found.get("atMost", base.at_most)
        if least > most:
            usual = "" if "atMost" in found else "'s default"
            sheet.fault(
                "schema.range",
                (*keys, "orAtLeast"),
                f"{least} is over atMost{usual} ({most}), so it never counts.",
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


_GUARDS = Shape(
    "the guards",
    {
        "maxAgentsChanged": or_off(_limit(_DEFAULTS.max_agents_changed)),
        "maxSkillsRemoved": or_off(_limit(_DEFAULTS.max_skills_removed)),
        "noAgentWithoutSkill": one_of("deny", OFF),
        "shifts": _shifts,
        "totalConcurrent": or_off(total_concurrent),
        "minCoverage": min_coverage,
        "freeze": freezes,
        "overrides": or_off(override_rules),
    },
)

GUARDS = Shape("the guards' file", {"guards": _GUARDS.read}, required=("guards",))


def guards_file(found: dict[str, Any]) -> GuardsFile:
    """Return the guards, with defaults for what the file leaves out."""
    written = found["guards"]

    def given(key: str, default: Any) -> Any:
        value = written.get(key, default)
        return None if value == OFF else value

    settings = GuardSettings(
        given("maxAgentsChanged", _DEFAULTS.max_agents_changed),
        given("maxSkillsRemoved", _DEFAULTS.max_skills_removed),
        no_agent_without_skill=written.get("noAgentWithoutSkill") != OFF,
        shifts=written.get("shifts") or _DEFAULTS.shifts,
        total_concurrent=given("totalConcurrent", None),
        freeze=written.get("freeze") or (),
        overrides=given("overrides", _DEFAULTS.overrides),
    )
    return GuardsFile(settings, written.get("minCoverage") or ())
