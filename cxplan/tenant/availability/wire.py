"""The bodies of availability-v2: what the tenant sends, checked; what it is sent, built.

Unknown members are tolerated, wrong types are not. An id may come as an integer; a boolean is
never a number. Every failure is ``http.shape`` and names the member, never its value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    StrictInt,
    StrictStr,
    TypeAdapter,
    ValidationError,
)

from cxplan.core.ids import AgentId, ETag, SkillId, WorkModeId
from cxplan.core.live import Assignment, ListedSkill, ObservedAgent, Shift
from cxplan.tenant.messages import Refused, Trouble
from cxplan.tenant.paging import Page

Model = TypeVar("Model", bound=BaseModel)
Entry = TypeVar("Entry", bound=BaseModel)
Item = TypeVar("Item")

_Id = Annotated[StrictStr, Field(min_length=1, max_length=256)] | Annotated[StrictInt, Field(ge=0)]
_Count = Annotated[StrictInt, Field(ge=0)]
_UNION_TAGS = {"constrained-str", "constrained-int", "str", "int"}
_MOST_SHIFTS = 10_000
_MOST_ITEMS = 100
_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)


class _Body(BaseModel):
    """Frozen; what is not named here is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Mode(_Body):
    id: _Id | None = None


class Profile(_Body):
    """``GET agents/{id}``. Its skills must be a list; the pages of skills are what counts."""

    id: _Id | None = Field(default=None, validation_alias=AliasChoices("id", "agentId"))
    mode: _Mode | None = Field(default=None, alias="currentWorkMode")
    skills: list[Any] | None = None


class _Skill(_Body):
    id: _Id = Field(alias="skillId")
    level: _Count | None = None
    concurrent: _Count | None = Field(default=None, alias="concurrentInteractions")
    maximum: _Count | None = Field(default=None, alias="maximumConcurrentInteractions")


class _ListedSkill(_Body):
    id: _Id = Field(alias="skillId")
    name: StrictStr | None = None
    maximum: _Count | None = Field(default=None, alias="maximumConcurrentInteractions")


class _ListedMode(_Body):
    id: _Id
    name: StrictStr | None = None


class _Listing(_Body, Generic[Entry]):
    entities: list[Entry] | None = None
    following: StrictStr | None = Field(default=None, alias="nextPageUri")
    total: _Count | None = Field(
        default=None, validation_alias=AliasChoices("total", "totalRecords")
    )


class _Shift(_Body):
    start: StrictStr = Field(alias="startTime")
    end: StrictStr = Field(alias="endTime")
    mode: _Id = Field(alias="workModeId")


class _Schedule(_Body):
    agent_id: _Id | None = Field(default=None, alias="agentId")
    shifts: Annotated[list[_Shift], Field(max_length=_MOST_SHIFTS)] | None = None


class _Update(_Body):
    agent_id: _Id | None = Field(default=None, alias="agentId")
    mode: _Id = Field(alias="workModeId")
    skills: list[_Skill] | None = Field(default=None, alias="skillLevels")


_PROFILE = TypeAdapter(Profile)
_HELD = TypeAdapter(_Listing[_Skill])
_SKILLS = TypeAdapter(_Listing[_ListedSkill])
_MODES = TypeAdapter(_Listing[_ListedMode])
_SCHEDULE = TypeAdapter(_Schedule)
_UPDATE = TypeAdapter(_Update)


def _checked(adapter: TypeAdapter[Model], value: Any) -> Model:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"] if part not in _UNION_TAGS)
    raise Refused(Trouble("http.shape", f"The answer is not as promised at {place or 'its root'}."))


def _check_id(found: str | int | None, asked: AgentId) -> None:
    """Where an answer names an agent it must be the one that was asked for."""
    if found is not None and str(found) != asked:
        raise Refused(Trouble("http.id_mismatch", "The answer is about another agent."))


def work_mode(profile: Any, asked: AgentId) -> WorkModeId | None:
    """Return the current work mode of a profile.

    Raises:
        Refused: ``http.shape``, or ``http.id_mismatch`` where it is another agent's.
    """
    found = _checked(_PROFILE, profile)
    _check_id(found.id, asked)
    mode = found.mode
    return None if mode is None or mode.id is None else WorkModeId(str(mode.id))


def skill_page(body: Any) -> Page[Assignment]:
    """Return a page of an agent's assignments; None is an empty list.

    Raises:
        Refused: ``http.shape``.
    """
    return _page(_HELD, body, _assignment)


def listed_skills(body: Any) -> Page[tuple[SkillId, ListedSkill]]:
    """Return a page of the tenant's skills; raises as ``skill_page``."""
    return _page(_SKILLS, body, lambda s: (SkillId(str(s.id)), ListedSkill(s.name, s.maximum)))


def listed_modes(body: Any) -> Page[tuple[WorkModeId, str | None]]:
    """Return a page of the tenant's work modes; raises as ``skill_page``."""
    return _page(_MODES, body, lambda mode: (WorkModeId(str(mode.id)), mode.name))


def _page(
    adapter: TypeAdapter[_Listing[Entry]], body: Any, item: Callable[[Entry], Item]
) -> Page[Item]:
    if body is None:
        return Page(())
    page = _checked(adapter, body)
    return Page(tuple(map(item, page.entities or ())), page.following, page.total)


def _assignment(skill: _Skill) -> Assignment:
    return Assignment(SkillId(str(skill.id)), skill.level, skill.concurrent, skill.maximum)


def shifts(body: Any, asked: AgentId) -> tuple[Shift, ...]:
    """Return the shifts of a schedule, sorted by start; an empty or null answer holds none.

    Raises:
        Refused: ``http.shape``, ``http.id_mismatch``, or ``http.time`` where a time has no offset
            or is none.
    """
    if body is None or body == []:
        return ()
    found = _checked(_SCHEDULE, body)
    _check_id(found.agent_id, asked)
    read = (
        Shift(_instant(s.start), _instant(s.end), WorkModeId(str(s.mode)))
        for s in found.shifts or ()
    )
    return tuple(sorted(read, key=lambda shift: (shift.start, shift.end, shift.work_mode)))


def _instant(text: str) -> datetime:
    if _RFC_3339.fullmatch(text):
        try:
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise Refused(Trouble("http.time", "A shift has a time that is no instant with an offset."))


def updated(body: Any, seen: ObservedAgent, etag: ETag | None) -> ObservedAgent | None:
    """Return the agent as the answer to a write shows it; None where it shows no skills.

    The contract lets the answer list all skills or some: those that it leaves out are as ``seen``,
    since the write was tied to that state and leaves unlisted skills alone.

    Raises:
        Refused: ``http.shape`` or ``http.id_mismatch``.
    """
    found = _checked(_UPDATE, body)
    _check_id(found.agent_id, seen.id)
    if found.skills is None:
        return None
    skills = {held.skill_id: held for held in seen.skills}
    for shown in map(_assignment, found.skills):
        before = skills.get(shown.skill_id)
        skills[shown.skill_id] = shown if before is None else _over(before, shown)
    ordered = tuple(skills[name] for name in sorted(skills))
    return ObservedAgent(seen.id, etag, WorkModeId(str(found.mode)), ordered)


def _over(before: Assignment, shown: Assignment) -> Assignment:
    """Where an answer states no maximum, the one that was seen still holds."""
    return shown if shown.maximum is not None else replace(shown, maximum=before.maximum)


def refused_items(body: Any) -> tuple[str, ...]:
    """Return what a 2xx refuses item by item, as raw text; nothing where all went well.

    Looked for in the forms that the field knows: a count of errors, a list of errors, items with
    ``success`` false. Numbers and booleans may be strings.
    """
    if not isinstance(body, dict):
        return ()
    found = [_text(error) for error in _items(body.get("errors"))]
    for name in ("skillLevels", "skills", "results", "resultSet", "items"):
        found += [_text(item) for item in _items(body.get(name)) if _failed(item)]
    count = body.get("errorCount", 0)
    if not found and (_failed(body) or str(count) not in {"0", "None", ""}):
        found.append(f"errorCount {count}" if count else "success false")
    return tuple(found)


def _items(value: Any) -> list[Any]:
    return value[:_MOST_ITEMS] if isinstance(value, list) else []


def _failed(item: Any) -> bool:
    return isinstance(item, dict) and str(item.get("success", True)).lower() == "false"


def _text(item: Any) -> str:
    return item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)
