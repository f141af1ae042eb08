"""The plan file's JSON as types: what a document must hold to be a plan.

Unknown members are ignored, as the format promises; known ones are strict.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

Hash = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Value = int | str | None


class _Part(BaseModel):
    """Strict, frozen, camelCase; unknown members pass."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", alias_generator=to_camel)


class SkillPart(_Part):
    """One assignment."""

    skill_id: str
    level: int | None
    concurrent_interactions: int | None


class StatePart(_Part):
    """All values of an agent."""

    work_mode_id: str | None
    skills: list[SkillPart]


class BecausePart(_Part):
    """The line that made a value."""

    file: str
    line: int
    layer: str


class ChangePart(_Part):
    """One value that differs."""

    path: str
    op: Literal["add", "change", "remove"]
    before: Value
    after: Value
    skill_id: str | None
    direction: Literal["better", "worse"] | None
    scheduled: bool
    overdue: str | None = None
    pending: bool | None = None
    rolled_back: str | None = None
    because: BecausePart | None


class FindingPart(_Part):
    """What a check says."""

    id: str
    verdict: Literal["ok", "warn", "defer", "block"]
    message: str
    until: str | None


class AgentRef(_Part):
    """Who an agent is."""

    id: str
    name: str
    team: str


class AgentPart(_Part):
    """One agent of the plan."""

    agent: AgentRef
    status: Literal["ready", "deferred", "blocked", "unread", "unchanged"]
    etag: str | None
    holds_until: str | None
    protected: bool = False
    before: StatePart | None
    after: StatePart | None
    changes: list[ChangePart]
    phase: int | None
    checks: list[FindingPart]


class IntervalPart(_Part):
    """The count of a coverage over some time."""

    start: str = Field(alias="from")
    end: str = Field(alias="until")
    before: int
    after: int


class GuardPart(_Part):
    """What a guard says."""

    id: str
    verdict: Literal["pass", "warn", "deny", "off"]
    actual: int
    limit: int | None
    basis: dict[str, int]
    examples: list[str]
    subject: str = ""
    intervals: list[IntervalPart] = []


class ToolPart(_Part):
    """What wrote the plan."""

    version: str


class TenantPart(_Part):
    """The tenant that the plan is for."""

    name: str
    api: str
    origin: str
    tenant_id: str | None


class SourcePart(_Part):
    """The files that the plan was made from."""

    commit: str | None
    digest: Hash


class ScopePart(_Part):
    """What was asked for."""

    only: list[list[str]] | None
    exclude: list[list[str]] | None
    only_this_change: bool = False
    only_due: bool = False


class AllowedPart(_Part):
    """A guard that is passed, and why."""

    guard: str
    reason: str


class FormerAgent(_Part):
    """An agent that the files may not name any more."""

    id: str
    name: str | None
    team: str | None


class ReleasedPart(_Part):
    """A value that was managed."""

    agent: FormerAgent
    path: str
    value: Value
    run: str | None
    override: str | None


class RuleChangePart(_Part):
    """A guard or a protection that differs from the base."""

    path: str
    before: str
    after: str
    looser: bool


class SummaryPart(_Part):
    """The count that the listed agents do not give."""

    agents: int


class LevelsPart(_Part):
    """The scale of levels."""

    best: int
    worst: int
    names: dict[str, int]


class VocabularyPart(_Part):
    """The names that a reader needs."""

    levels: LevelsPart
    work_modes: dict[str, str]


class PlanPart(_Part):
    """A whole plan."""

    plan_id: str
    digest: Hash
    semantic_digest: Hash
    tool: ToolPart
    tenant: TenantPart
    created_at: str
    evaluated_at: str
    expires_at: str
    source: SourcePart
    summary: SummaryPart
    agents: list[AgentPart]
    guards: list[GuardPart]
    vocabulary: VocabularyPart
    only_shown: list[str] = []
    live_as_of: str
    next_boundary: str | None = None
    scope: ScopePart
    rollback: str | None = None
    allowed: list[AllowedPart]
    released: list[ReleasedPart] = []
    rule_changes: list[RuleChangePart] = []
    warnings: list[FindingPart] = []


PLAN: TypeAdapter[PlanPart] = TypeAdapter(PlanPart)


class MalformedPlan(ValueError):
    """The document is not a plan; the message names the member, never its value."""


def plan_part(document: dict[str, Any]) -> PlanPart:
    """Return the document as a typed plan.

    Raises:
        MalformedPlan: a known member is missing or of another type.
    """
    try:
        return PLAN.validate_python(document)
    except ValidationError as error:
        where = "/".join(str(step) for step in error.errors()[0]["loc"])
        raise MalformedPlan(where) from None
