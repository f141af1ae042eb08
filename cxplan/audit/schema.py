"""The shapes of signed statements and of what a bundle reads from a plan.

Statements are closed: a member that is not listed here is refused, and so is one that is missing.
Of a plan only the members that evidence stands on are read; its own reader knows the rest.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from cxplan.core.ids import UUID
from cxplan.core.instant import parse_utc

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
SEAL_TYPE: Final = "https://cxplan.dev/attestations/apply/v1"
OPEN_TYPE: Final = "https://cxplan.dev/attestations/apply-open/v1"
MAX_SEQUENCE = 999_999_999


def _instant(text: str) -> str:
    parse_utc(text)
    return text


Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Uuid = Annotated[str, StringConstraints(pattern=f"^{UUID}$")]
Instant = Annotated[str, AfterValidator(_instant)]
Text = Annotated[str, StringConstraints(max_length=2000)]
Count = Annotated[int, Field(ge=0)]


class _Closed(BaseModel):
    """Strict, frozen, nothing extra; members are camelCase."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
    )


class Digest(_Closed):
    """A digest set with the one algorithm in use."""

    sha256: Sha256


class Subject(_Closed):
    """A file of the bundle."""

    name: Text
    digest: Digest


class Place(_Closed):
    """A run's place in its ledger; ``previous`` is the seal before it, None for the first."""

    id: Uuid
    sequence: Annotated[int, Field(ge=1, le=MAX_SEQUENCE)]
    previous: Digest | None


class OpenRun(_Closed):
    """A run as it began."""

    id: Uuid
    opened_at: Instant


class ExitWord(_Closed):
    """An exit code and its word."""

    code: Count
    word: Text


class SealedRun(OpenRun):
    """A run as it ended."""

    sealed_at: Instant
    exit: ExitWord
    recovered: bool


class ActorClaim(_Closed):
    """Who says that they ran it."""

    kind: Annotated[str, StringConstraints(pattern="^(user|ci)$")]
    id: Text
    ci: dict[Text, Text]


class Tool(_Closed):
    """The program that wrote the bundle."""

    name: Text
    version: Text


class Target(_Closed):
    """The tenant that was written to."""

    tenant: Text
    base_url: Text
    api_version: Text


class PlanClaim(_Closed):
    """The plan that was carried out."""

    id: Text
    created_at: Instant
    expires_at: Instant
    semantic_digest: Text


class Records(_Closed):
    """The journal's counts; ``last`` is of its last line without the newline."""

    count: Count
    intents: Count
    outcomes: Count
    last: Digest


class OpenPredicate(_Closed):
    """What a run says before its first write."""

    ledger: Place
    run: OpenRun
    actor: ActorClaim
    tool: Tool
    target: Target
    plan: PlanClaim


class SealPredicate(_Closed):
    """What ``open`` said, and how the run ended."""

    ledger: Place
    run: SealedRun
    actor: ActorClaim
    tool: Tool
    target: Target
    plan: PlanClaim
    records: Records
    summary: dict[Text, Count]

    def repeats(self, opened: OpenPredicate) -> bool:
        """Tell whether everything that ``opened`` said is said here again."""
        run = OpenRun(id=self.run.id, opened_at=self.run.opened_at)
        mine = (self.ledger, run, self.actor, self.tool, self.target, self.plan)
        return mine == (
            opened.ledger,
            opened.run,
            opened.actor,
            opened.tool,
            opened.target,
            opened.plan,
        )


class _Statement(_Closed):
    type_: Annotated[Literal["https://in-toto.io/Statement/v1"], Field(alias="_type")] = (
        STATEMENT_TYPE
    )
    subject: list[Subject]


class OpenStatement(_Statement):
    """``open.dsse.json``: an in-toto Statement v1."""

    predicate_type: Literal["https://cxplan.dev/attestations/apply-open/v1"] = OPEN_TYPE
    predicate: OpenPredicate


class SealStatement(_Statement):
    """``statement.dsse.json``: an in-toto Statement v1."""

    predicate_type: Literal["https://cxplan.dev/attestations/apply/v1"] = SEAL_TYPE
    predicate: SealPredicate


class _Read(BaseModel):
    """Strict about what is read, silent about the rest."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="ignore", alias_generator=to_camel, validate_by_alias=True
    )


class _PlannedId(_Read):
    id: Text


class _PlannedAgent(_Read):
    agent: _PlannedId


class PlanDocument(_Read):
    """The members of ``plan.json`` that a bundle is checked against."""

    kind: Literal["cxplan/plan"]
    plan_id: Text
    created_at: Instant
    expires_at: Instant
    semantic_digest: Text
    agents: list[_PlannedAgent]


Shape = TypeVar("Shape", bound=BaseModel)


class ShapeError(ValueError):
    """A value has another shape than it must; the message names the first member, unescaped."""


def shaped(kind: type[Shape], value: Any) -> Shape:
    """Return ``value``, decoded JSON, as ``kind``.

    Raises:
        ShapeError: a member is missing, unknown or not what it should be.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        member = ".".join(str(part) for part in first["loc"]) or "none"
        raise ShapeError(f"{first['type']} at member {member}") from None
