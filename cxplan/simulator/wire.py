"""Bodies that clients send, read strictly: a boolean is no integer, a number no string."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from cxplan.simulator.exchange import Call, Refusal, decode_json

HIGHEST_LEVEL = 100

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _instant(text: str) -> str:
    if not _RFC3339.fullmatch(text):
        raise ValueError("must be an RFC 3339 time with an offset")
    datetime.fromisoformat(text.upper())
    return text


Instant = Annotated[str, AfterValidator(_instant)]
Id = Annotated[str, Field(min_length=1)]


class _Body(BaseModel):
    """Members that the contract does not list are let through, as it allows."""

    model_config = ConfigDict(strict=True, extra="ignore", alias_generator=to_camel)


class SkillLevel(_Body):
    """One entry of ``skillLevels``."""

    skill_id: Id
    level: int = Field(ge=0, le=HIGHEST_LEVEL)
    concurrent_interactions: int = Field(ge=0)


class Metadata(_Body):
    """Who sends the update and when."""

    source: str
    timestamp: Instant


class WorkModeUpdate(_Body):
    """The body of a PATCH."""

    work_mode_id: Id
    skill_levels: list[SkillLevel]
    reason: str
    metadata: Metadata


class EventData(_Body):
    """What an event tells."""

    agent_id: Id
    previous_state: dict[str, Any]
    new_state: dict[str, Any]
    sync_timestamp: Instant


class Publication(_Body):
    """The body of an event."""

    event_type: Literal["agent.availability.changed"]
    data: EventData


Body = TypeVar("Body", bound=BaseModel)


def read_body(call: Call, kind: type[Body]) -> Body:
    """Return the JSON body of ``call`` as a ``kind``.

    Raises:
        Refusal: 413, 415 or 400.
    """
    if call.body is None:
        raise Refusal(413, "payload_too_large", "The body is larger than 1 MiB.")
    media = (call.header("content-type") or "").partition(";")[0].strip().lower()
    if media != "application/json" or call.header("content-encoding") not in (None, "identity"):
        raise Refusal(415, "unsupported_media_type", "The body must be application/json as it is.")
    try:
        return kind.model_validate(decode_json(call.body))
    except ValidationError as error:
        raise Refusal(400, "invalid_request", _first_problem(error)) from None
    except ValueError:
        raise Refusal(400, "invalid_request", "The body is not JSON.") from None


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    return f"{place or 'body'}: {problem['msg']}"
