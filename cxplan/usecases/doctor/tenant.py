"""What the tenant lets the client do, found out by reading only."""

from __future__ import annotations

from collections.abc import Iterator

from cxplan.core.errors import AuthError, CxplanError, Exit, UnavailableError
from cxplan.core.health import Check, State, attempt, bad, good, not_checked, warning
from cxplan.core.ids import AgentId
from cxplan.core.live import (
    AgentReading,
    MissingAgent,
    ObservedAgent,
    ScheduleReading,
    TenantLists,
    UnreadableSchedule,
    UnreadAgent,
)
from cxplan.core.model import Declarations
from cxplan.core.resolve import resolve
from cxplan.core.wording import count
from cxplan.ports import Tenant
from cxplan.usecases.doctor.world import DoctorWorld

_SCOPE = "auth.scope"
_FORBIDDEN = "http.forbidden"
_READS = ("read.lists", "read.agent", "read.schedule")


def tenant_checks(
    world: DoctorWorld, api: Check, token: Check, declarations: Declarations | None
) -> Iterator[Check]:
    """Yield credentials, scopes, and what can be read; ``api`` and ``token`` are the addresses."""
    try:
        client = world.client()
    except CxplanError as error:
        yield bad("credentials", error)
        yield from _unasked("There are no credentials to ask with.", "scopes", *_READS)
        return
    if token.state is State.BAD or api.exit is Exit.INVALID:
        why = "The addresses have to hold first."
        yield from _unasked(why, "credentials", "scopes", *_READS)
    else:
        yield from _connected(world, client, api, declarations)


def _unasked(why: str, *names: str) -> Iterator[Check]:
    return (not_checked(name, why) for name in names)


def _connected(
    world: DoctorWorld, client: str, api: Check, declarations: Declarations | None
) -> Iterator[Check]:
    known = good("credentials", f"The token endpoint knows the client {client}.")
    try:
        tenant = world.tenant()
        tenant.connect(write=False)
    except CxplanError as error:
        scopes = error.problem.code == _SCOPE
        yield known if scopes else bad("credentials", error)
        yield bad("scopes", error) if scopes else not_checked("scopes", "There is no token.")
        yield from _unasked("There is no token that may read.", *_READS)
        return
    yield known
    yield _writing(world)
    if api.state is State.BAD:
        yield from _unasked("The API cannot be reached.", *_READS)
    else:
        yield from _reads(tenant, declarations)


def _writing(world: DoctorWorld) -> Check:
    reading, writing = " ".join(world.reading), " ".join(world.writing)
    try:
        world.tenant().connect(write=True)
    except CxplanError as error:
        if error.problem.code != _SCOPE or world.key is not None:
            return bad("scopes", error)
        found = f"{reading}: good for plan, snapshot and drift; apply is not for this client. "
        return good("scopes", found + error.problem.summary, error.problem.hint)
    return good("scopes", f"{reading} and {writing}, as far as the token says.")


def _reads(tenant: Tenant, declarations: Declarations | None) -> Iterator[Check]:
    yield attempt("read.lists", tenant.lists, _lists)[0]
    members = () if declarations is None else resolve(declarations).agents
    if not members:
        yield from _unasked("There is no declared agent to read.", "read.agent", "read.schedule")
        return
    first = members[0].id
    yield attempt("read.agent", lambda: tenant.agent(first), _agent)[0]
    yield attempt(
        "read.schedule", lambda: tenant.schedule(first), lambda found: _schedule(first, found)
    )[0]


def _lists(lists: TenantLists) -> Check:
    skills = "no list of skills" if lists.skills is None else count(len(lists.skills), "skill")
    modes = "no list of work modes" if lists.modes is None else count(len(lists.modes), "mode")
    return good("read.lists", f"The tenant has {skills} and {modes}.")


def _agent(reading: AgentReading) -> Check:
    match reading:
        case ObservedAgent(etag=None):
            error = UnavailableError(
                f"{reading.id} is read without a strong ETag, so nothing of it can be written.",
                code="lock.noStrongEtag",
                hint="Ask whoever runs the tenant's API, or what stands between, for strong ETags.",
            )
            return bad("read.agent", error)
        case ObservedAgent():
            held = count(len(reading.skills), "skill")
            return good("read.agent", f"{reading.id} is read with {held} and a strong ETag.")
        case MissingAgent():
            return warning(
                "read.agent",
                f"The tenant knows no agent {reading.id}, the first that the files declare.",
                "Correct its id, or see whether the credentials are those of the right tenant.",
            )
        case UnreadAgent():
            return bad("read.agent", _unread(reading.code, reading.reason))


def _unread(code: str, reason: str) -> CxplanError:
    if code == _FORBIDDEN:
        return AuthError(reason, code=code, hint="Grant the client that scope.")
    return UnavailableError(
        reason,
        code=code,
        hint="Run cxplan doctor again; if it stays, ask whoever runs the tenant's API.",
    )


def _schedule(agent: AgentId, reading: ScheduleReading) -> Check:
    if isinstance(reading, UnreadableSchedule):
        code, _, reason = reading.reason.partition(": ")
        return bad("read.schedule", _unread(code, reason))
    return good("read.schedule", f"{agent} has {count(len(reading.shifts), 'shift')} planned.")
