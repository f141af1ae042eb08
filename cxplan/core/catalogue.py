"""The files' catalogue against the tenant's own lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from cxplan.core.diff import Change
from cxplan.core.findings import Finding, Verdict
from cxplan.core.ids import SkillId
from cxplan.core.live import TenantLists
from cxplan.core.model import Declarations

_BETWEEN = re.compile(r"[\W_]+")


def unknown_ids(lists: TenantLists, changes: Iterable[Change]) -> Iterator[Finding]:
    """Yield what blocks an agent: each skill or work mode of its changes that the tenant lacks."""
    for skill_id, after in dict.fromkeys(_asked(change) for change in changes):
        if skill_id is None:
            known: Iterable[str] | None = lists.modes
            found, what = after, "work mode"
        else:
            known, found, what = lists.skills, skill_id, "skill"
        if known is not None and found not in known:
            message = f"the tenant's list knows no {what} {found}; correct its id in the catalogue"
            yield Finding("catalogue.unknownId", Verdict.BLOCK, message)


def _asked(change: Change) -> tuple[SkillId | None, str]:
    """Return what a change refers to: level and concurrency of a skill are one."""
    return change.skill_id, "" if change.skill_id else str(change.after)


def other_names(declarations: Declarations, lists: TenantLists) -> Iterator[Finding]:
    """Yield a warning for each id whose name differs from the tenant's.

    Names are compared without case, blanks and punctuation: the files' are keys that people type.
    """
    for skill in sorted(declarations.skills.values(), key=lambda skill: skill.id):
        listed = (lists.skills or {}).get(skill.id)
        yield from _compared("skill", skill.name, skill.id, listed.name if listed else None)
    for mode in sorted(declarations.modes.values(), key=lambda mode: mode.id):
        yield from _compared("work mode", mode.name, mode.id, (lists.modes or {}).get(mode.id))


def _compared(what: str, written: str, key: str, listed: str | None) -> Iterator[Finding]:
    if listed is not None and _letters(written) != _letters(listed):
        message = f"the files call the {what} {key} {written}, the tenant calls it {listed}"
        yield Finding("catalogue.name", Verdict.WARN, message)


def _letters(name: str) -> str:
    return _BETWEEN.sub("", name).casefold()
