r"""The lines of a snapshot as types: what each must hold.

::

    {"agents":2,"formatVersion":"1.0","kind":"cxplan/snapshot","lists":{…},"takenAt":"…Z",…}
    {"etag":"\"…\"","id":"…","schedule":[[start,end,mode],…],"skills":[[id,level,concurrent,
     maximum],…],"workModeId":"…"}
    {"id":"…","missing":true}
    {"digest":"sha256:…"}

One line an agent, by id; ``schedule`` is ``{"unreadable":reason}`` where it could not be read. The
last line covers every byte before it. All lines are ASCII with sorted members. A minor version may
add members to the header; the agents' lines are strict, so anything new in them is a major one.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from cxplan.core.canonical import MAX_INTEGER, StrictJsonError, parse_json

KIND = "cxplan/snapshot"
FORMAT_VERSION = "1.0"
MAX_BYTES = 512 * 1024 * 1024
MAX_LINE = 4 * 1024 * 1024
MAX_AGENTS = 100_000

Count = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Part = TypeVar("Part", bound=BaseModel)


class MalformedSnapshot(ValueError):
    """A line is not what it must be; the message names the member, never its value."""


class _Header(BaseModel):
    """Strict, frozen, camelCase; unknown members pass."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", alias_generator=to_camel)


class ToolPart(_Header):
    """What wrote the snapshot."""

    version: str


class TenantPart(_Header):
    """The tenant that was read."""

    name: str
    api: str
    origin: str
    tenant_id: str | None


class ListsPart(_Header):
    """The tenant's own lists, by id; None where it has no such list."""

    skills: list[tuple[str, str | None, Count | None]] | None
    work_modes: list[tuple[str, str | None]] | None


class HeaderPart(_Header):
    """The first line."""

    kind: Literal["cxplan/snapshot"]
    format_version: str
    tool: ToolPart
    tenant: TenantPart
    taken_at: str
    agents: Annotated[int, Field(ge=0, le=MAX_AGENTS)]
    lists: ListsPart


class _Entry(BaseModel):
    """Strict, frozen, camelCase, nothing else."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", alias_generator=to_camel)


class UnreadablePart(_Entry):
    """A schedule that could not be read."""

    unreadable: str


class AgentPart(_Entry):
    """An agent that was read."""

    id: str
    etag: str | None
    work_mode_id: str | None
    skills: list[tuple[str, Count | None, Count | None, Count | None]]
    schedule: Annotated[
        list[tuple[str, str, str]] | UnreadablePart, Field(union_mode="left_to_right")
    ]


class MissingPart(_Entry):
    """An agent that the tenant does not know."""

    id: str
    missing: Literal[True]


_HEADER = TypeAdapter(HeaderPart)
_AGENT = TypeAdapter(AgentPart)
_MISSING = TypeAdapter(MissingPart)


def trailer_line(hexdigest: str) -> bytes:
    """Return the last line, which covers all before it with a SHA-256."""
    return b'{"digest":"sha256:%s"}\n' % hexdigest.encode("ascii")


TRAILER_BYTES = len(trailer_line("0" * 64))


def header_part(line: bytes) -> HeaderPart:
    """Return the header.

    Raises:
        MalformedSnapshot: not strict JSON, or a known member is missing or of another type.
    """
    _refuse_ambiguous(line)
    return _checked(_HEADER, line)


def entry_part(line: bytes) -> AgentPart | MissingPart:
    """Return one agent's line.

    Raises:
        MalformedSnapshot: not strict JSON, or a member is missing, unknown or of another type.
    """
    if line.startswith(b'{"id":'):
        missing = _checked(_MISSING, line)
        _refuse_repeated(line, 2)
        return missing
    agent = _checked(_AGENT, line)
    _refuse_repeated(line, 5)
    return agent


def _checked(adapter: TypeAdapter[Part], line: bytes) -> Part:
    try:
        return adapter.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = "/".join(str(step) for step in first["loc"])
    raise MalformedSnapshot(f"has no usable {where or 'JSON'}")


def _refuse_repeated(line: bytes, members: int) -> None:
    """Refuse a member that is there twice: the parser takes the last one without a word.

    Where nothing stands between a name and its colon, counting tells, at a tenth of the cost of
    strict reading; a line of all its members has none twice.
    """
    blank = b" " in line or b"\t" in line or b"\r" in line
    if blank or line.count(b'":') != members:
        _refuse_ambiguous(line)


def _refuse_ambiguous(line: bytes) -> None:
    try:
        parse_json(line)
    except StrictJsonError as error:
        raise MalformedSnapshot(f"is not strict JSON ({error})") from None
