"""Fault rules and foreign changes as JSON, read strictly: an unknown member is an error."""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from cxplan.core.errors import InvalidError
from cxplan.simulator.exchange import decode_json
from cxplan.simulator.rules import Foreign, Moment, Rule

Count = Annotated[int, Field(ge=1)]
Milliseconds = Annotated[int, Field(ge=0, le=3_600_000)]
Side = Literal["before", "after"]

_BODIES = ("body", "body_base64", "json_", "body_mb")
_ANSWER = (
    *_BODIES, "status", "headers", "merge", "drip_ms", "cut_after", "content_length", "header_kb",
)  # fmt: skip
_SELECTION = ("method", "path", "nth", "from_", "times", "probability")


class _Strict(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="forbid", alias_generator=to_camel, hide_input_in_errors=True
    )


class ForeignBody(_Strict):
    """Another admin's change; without ``agentId`` to the agent that a rule's request names."""

    agent_id: str | None = None
    skill: str | None = None
    level: int | None = Field(default=None, ge=0)
    concurrent: int | None = Field(default=None, ge=0)
    work_mode: str | None = None
    maximum: int | None = Field(default=None, ge=0)
    touch: bool = False

    def value(self) -> Foreign:
        """Return the same as a value."""
        return Foreign(**self.model_dump())


class RuleBody(_Strict):
    """One rule of a rules file; ``rules.Rule`` says what each member does."""

    method: str = Field(pattern=r"^(\*|[A-Z]+)$")
    path: str = Field(pattern=r"^[/*]")
    nth: Count | None = None
    from_: Count | None = Field(default=None, alias="from")
    times: Count | None = None
    probability: float = Field(default=1.0, ge=0, le=1)
    status: int | None = Field(default=None, ge=200, le=599)
    headers: dict[str, str | list[str] | None] = {}
    body: str | None = None
    body_base64: str | None = None
    json_: Any = Field(default=None, alias="json")
    body_mb: int = Field(default=0, ge=1, le=1024)
    merge: dict[str, Any] | None = None
    delay_ms: Milliseconds = 0
    drip_ms: Milliseconds = 0
    cut_after: int | None = Field(default=None, ge=0)
    reset: Side | None = None
    close: Side | None = None
    content_length: str | int | None = None
    header_kb: int = Field(default=0, ge=0, le=65_536)
    foreign: ForeignBody | None = None
    foreign_after: ForeignBody | None = None
    commit: bool | None = None
    commit_delay_ms: Milliseconds | None = None
    revoke_tokens: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        given = self.model_fields_set
        own_answer = given.intersection({*_BODIES, "status"})
        gone = given.intersection({"reset", "close"})
        checks = (
            (not given.difference(_SELECTION), "method", "the rule does nothing"),
            ("nth" in given and given.intersection({"from_", "times"}), "nth",
             "excludes from and times"),
            (len(given.intersection(_BODIES)) > 1, "body", "only one kind of body can be sent"),
            ("merge" in given and given.intersection(_BODIES), "merge", "excludes a body"),
            ("merge" in given and self.commit is False, "merge", "needs the handler to run"),
            (len(gone) > 1, "reset", "excludes close"),
            (gone and given.intersection({*_ANSWER, "commit"}), "reset",
             "a connection that ends without an answer has neither answer nor commit"),
            (self.commit is not None and not (own_answer or "merge" in given), "commit",
             "needs a status or a body"),
            ("commit_delay_ms" in given and not self._answers_first(), "commitDelayMs",
             "needs a status, a body, or reset or close before, and neither commit nor merge"),
        )  # fmt: skip
        for wrong, member, message in checks:
            if wrong:
                raise _problem(member, message)
        return self

    @model_validator(mode="after")
    def _sendable(self) -> Self:
        for name in self.model_fields_set - {"json_"}:
            if getattr(self, name) is None:
                raise _problem(to_camel(name), "null says nothing; leave the member out")
        texts = [str(self.content_length or ""), *self.headers]
        texts += [value for _, values in self.header_values() for value in values]
        try:
            "".join(texts).encode("latin-1")
        except UnicodeEncodeError:
            raise _problem("headers", "write the bytes as latin-1 characters") from None
        try:
            base64.b64decode(self.body_base64 or "", validate=True)
        except ValueError:
            raise _problem("bodyBase64", "is not base64") from None
        return self

    def _answers_first(self) -> bool:
        given = self.model_fields_set
        answers = given.intersection({*_BODIES, "status"}) or "before" in (self.reset, self.close)
        return bool(answers) and not given.intersection({"commit", "merge"})

    def header_values(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return each header with its values, none to delete it."""
        return tuple(
            (name, () if value is None else (value,) if isinstance(value, str) else tuple(value))
            for name, value in self.headers.items()
        )

    def value(self) -> Rule:
        """Return the same as a value."""
        return Rule(
            method=self.method,
            path=self.path,
            first=self.nth or self.from_ or 1,
            times=1 if self.nth else self.times,
            probability=self.probability,
            status=self.status,
            headers=self.header_values(),
            body=self._body(),
            filler_mb=self.body_mb,
            merge=self.merge,
            delay_ms=self.delay_ms,
            drip_ms=self.drip_ms,
            cut_after=self.cut_after,
            reset=_moment(self.reset),
            close=_moment(self.close),
            content_length=self._length(),
            header_kb=self.header_kb,
            foreign=self.foreign.value() if self.foreign else None,
            foreign_after=self.foreign_after.value() if self.foreign_after else None,
            commit=self.commit,
            commit_delay_ms=self.commit_delay_ms,
            revoke_tokens=self.revoke_tokens,
        )

    def _length(self) -> str | None:
        return None if self.content_length is None else str(self.content_length)

    def _body(self) -> str | bytes | None:
        if self.body_base64 is not None:
            return base64.b64decode(self.body_base64)
        if "json_" in self.model_fields_set:
            return json.dumps(self.json_)
        return self.body


def _moment(side: Side | None) -> Moment | None:
    return Moment(side) if side else None


def _problem(member: str, message: str) -> PydanticCustomError:
    return PydanticCustomError(
        "rule", "{member}: {message}", {"member": member, "message": message}
    )


def parse_rules(data: bytes) -> tuple[Rule, ...]:
    """Return the rules of a rules file: a JSON list of objects.

    Raises:
        InvalidError: not JSON, or the first rule that is wrong, by its index (from 0) and member.
    """
    try:
        items = decode_json(data)
    except ValueError:
        raise _invalid("The fault rules are not JSON.") from None
    if not isinstance(items, list):
        raise _invalid("The fault rules are not a JSON list.")
    return tuple(_rule(index, item) for index, item in enumerate(items))


def _rule(index: int, item: Any) -> Rule:
    try:
        return RuleBody.model_validate(item).value()
    except ValidationError as error:
        raise _invalid(f"Fault rule {index}: {_first(error)}.") from None


def parse_foreign(data: bytes) -> tuple[str, Foreign]:
    """Return the agent and the change of a JSON object with ``agentId``.

    Raises:
        InvalidError: not JSON, a member that is wrong, or no agent.
    """
    try:
        change = ForeignBody.model_validate(decode_json(data)).value()
    except ValidationError as error:
        raise _invalid(f"The foreign change: {_first(error)}.") from None
    except ValueError:
        raise _invalid("The foreign change is not JSON.") from None
    if change.agent_id is None:
        raise _invalid("The foreign change: agentId: is missing.")
    return change.agent_id, change


def _first(error: ValidationError) -> str:
    """Return member and problem; ``ascii`` keeps a hostile member name from being shown raw."""
    problem = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(ascii(part)[:60].strip("'") for part in problem["loc"])
    return f"{place}: {problem['msg']}" if place else problem["msg"]


def _invalid(summary: str) -> InvalidError:
    return InvalidError(
        summary,
        code="simulator.faults",
        hint="Correct that member; each rule is an object with method, path and what goes wrong.",
    )
