"""A tenant that speaks availability-v2: ``ports.Tenant`` over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote

from cxplan.core.answers import Answer, AvailabilityEvent, Failure, Write
from cxplan.core.errors import CxplanError, InvalidError, UnavailableError
from cxplan.core.ids import AgentId
from cxplan.core.live import (
    AgentReading,
    Assignment,
    MissingAgent,
    ObservedAgent,
    Schedule,
    ScheduleReading,
    TenantIdentity,
    TenantLists,
    UnreadableSchedule,
    UnreadAgent,
)
from cxplan.core.secret import Secret
from cxplan.core.steps import FORBIDDEN_AT_START
from cxplan.ports import Clock, always
from cxplan.tenant.availability import wire
from cxplan.tenant.availability.answering import to_answer
from cxplan.tenant.availability.bodies import event_body, update_body
from cxplan.tenant.availability.listing import read_list
from cxplan.tenant.connection import Connection, Limits
from cxplan.tenant.grant import lacks
from cxplan.tenant.headers import single, strong_etag
from cxplan.tenant.messages import (
    Broken,
    Call,
    Forbidden,
    Headers,
    Outcome,
    Refused,
    Reply,
    Trouble,
)
from cxplan.tenant.oauth import Tokens
from cxplan.tenant.pacing import Pacer, ReadGate
from cxplan.tenant.paging import Page, read_all
from cxplan.tenant.reads import Reads, content, refused_twice
from cxplan.tenant.retry import Jitter, retry_after
from cxplan.tenant.session import Http

_NOT_FOUND = 404
_UNAUTHORIZED = 401
_TOO_MANY = 429
_UNAVAILABLE = 503
_JSON = ("Content-Type", "application/json")


class AvailabilityTenant:
    """One tenant's agents. Every method may be called from many threads at once."""

    def __init__(
        self,
        connection: Connection,
        *,
        clock: Clock,
        jitter: Jitter,
        limits: Limits | None = None,
    ) -> None:
        """Ask nobody yet. ``jitter`` gives random numbers in [0, 1) to any thread.

        Raises:
            InvalidError: the CA bundle cannot be read.
        """
        self._site = connection.api
        self._secret = connection.client_secret
        self._clock = clock
        self._pacer = Pacer(clock, jitter, rate=connection.max_rps)
        self._gate = ReadGate(clock, jitter, width=connection.read_width)
        self._http = Http(connection, clock, self._pacer, limits)
        exchange = self._http.exchange
        self._tokens = Tokens(connection, exchange, clock, jitter)
        self._reads = Reads(exchange, self._site, self._tokens, self._gate, clock, jitter)
        self._first_reads = _FirstReads()

    @property
    def locking(self) -> str:
        """``etag``: a write is tied to the state it was decided on."""
        return "etag"

    def close(self) -> None:
        """Close every connection; nobody may be using one."""
        self._http.close()

    def connect(self, *, write: bool) -> TenantIdentity:
        """Get a token, check its scopes for reading (and writing), and say who answered.

        Raises:
            AuthError: credentials, scopes or certificate refused, or a token that is not usable.
            UnavailableError: the token endpoint cannot be reached or keeps failing.
        """
        token = self._tokens.require(write=write)
        return TenantIdentity(self._site.origin, token.tenant_id, token.server_date)

    def agent(self, agent_id: AgentId) -> AgentReading:
        """Return the agent with all its assignments, the lock tag read before the values.

        Raises:
            AuthError: the token is refused for good, or the first three agents are all forbidden.
            UnavailableError: the tenant cannot be reached at all, or asks for a long pause.
        """
        try:
            reading = self._agent(agent_id)
        except Forbidden as forbidden:
            self._first_reads.forbidden(forbidden.scope)
            return _unread(agent_id, forbidden)
        except Refused as refused:
            reading = _unread(agent_id, refused)
        self._first_reads.allowed()
        return reading

    def _agent(self, agent_id: AgentId) -> AgentReading:
        path = self._path("agents", agent_id)
        reply = self._reads.get(path)
        if reply.status == _NOT_FOUND:
            return MissingAgent(agent_id)
        profile = content(reply, "agent:read")
        etag = strong_etag(reply.headers)
        mode = wire.work_mode(profile, agent_id)
        skills = self._skills(f"{path}/skills")
        ordered = tuple(sorted(skills, key=lambda held: held.skill_id))
        return ObservedAgent(agent_id, etag, mode, ordered)

    def _skills(self, endpoint: str) -> tuple[Assignment, ...]:
        def load(target: str) -> Page[Assignment]:
            return wire.skill_page(content(self._reads.get(target), "skill:read"))

        return read_all(load, self._site, endpoint, lambda held: held.skill_id)

    def schedule(self, agent_id: AgentId) -> ScheduleReading:
        """Return the agent's shifts; never raises for what concerns this agent alone.

        Raises:
            AuthError: the token is refused for good.
            UnavailableError: the tenant cannot be reached at all, or asks for a long pause.
        """
        try:
            reply = self._reads.get(self._path("wfm", "schedules", agent_id))
            if reply.status == _NOT_FOUND:
                return Schedule()
            return Schedule(wire.shifts(content(reply, "wfm:read"), agent_id))
        except Refused as refused:
            return UnreadableSchedule(f"{refused.trouble.code}: {refused.trouble.reason}")

    def lists(self) -> TenantLists:
        """Return the tenant's lists of skills and work modes.

        Raises:
            AuthError: a list is forbidden.
            UnavailableError: a list cannot be read whole, or is empty.
        """
        get, site = self._reads.get, self._site
        skills = read_list(get, site, self._path("skills"), "skill:read", wire.listed_skills)
        modes = read_list(get, site, self._path("work-modes"), "agent:read", wire.listed_modes)
        return TenantLists(skills, modes)

    def write(
        self, change: Write, seen: ObservedAgent, may_leave: Callable[[], bool] = always
    ) -> Answer:
        """Send one PATCH at the tenant's pace, valid only against the ETag of ``seen``.

        It is sent once; only after a 401, which says that nothing was done, once more. Where the
        tenant has asked for a pause over a minute nothing is sent: ``NOT_SENT``, and
        ``retry_after`` says how long. Nothing is sent either where ``may_leave``, which is asked
        at its turn, says no: ``WITHDRAWN``.

        Raises:
            AuthError: the token is refused for good.
            CxplanError: ``seen`` has no ETag or is another agent: a bug.
        """
        if seen.etag is None or seen.id != change.agent_id:
            raise CxplanError("A write needs the ETag of the agent that it changes.")
        outcome, secrets = self._send(
            "PATCH",
            self._path("agents", change.agent_id, "workmodes"),
            (_JSON, ("If-Match", seen.etag)),
            lambda: update_body(change, self._clock.now()),
            may_leave,
        )
        return to_answer(outcome, seen, self._clock.now(), secrets)

    def publish(self, event: AvailabilityEvent, at: datetime) -> Answer:
        """Tell external systems of a write; ``at`` is the event's timestamp.

        Raises:
            AuthError: the token is refused for good.
        """
        outcome, secrets = self._send(
            "POST", self._path("events", "publish"), (_JSON,), lambda: event_body(event, at)
        )
        return to_answer(outcome, None, self._clock.now(), secrets)

    def _send(
        self,
        method: str,
        target: str,
        headers: Headers,
        body: Callable[[], bytes],
        may_leave: Callable[[], bool] = always,
    ) -> tuple[Outcome, tuple[Secret, ...]]:
        """Return what came back, and the secrets that no text of it may hold.

        Without a token nothing is sent, and after a 401 nothing was done: both are ``NOT_SENT``.
        """
        call = Call(method, target, None, headers, body, may_leave)
        try:
            token = self._tokens.get()
            outcome = self._once(replace(call, authorization=token.authorization))
            if _unauthorized(outcome):
                token = self._tokens.renew(token)
                outcome = self._once(replace(call, authorization=token.authorization))
        except UnavailableError as error:
            trouble = Trouble(error.problem.code, error.problem.summary)
            return Broken(Failure.NOT_SENT, trouble), (self._secret,)
        if _unauthorized(outcome):
            raise refused_twice()
        return outcome, (self._secret, token.text)

    def _once(self, call: Call) -> Outcome:
        outcome = self._http.exchange(self._site, call)
        if call.method == "PATCH":
            self._note_pace(outcome)
        return outcome

    def _note_pace(self, outcome: Outcome) -> None:
        """A 429, and a 503 that asks for it, pause the whole tenant, its reads too."""
        if not isinstance(outcome, Reply):
            return
        asked = retry_after(single(outcome.headers, "retry-after"), self._clock.now())
        if outcome.status == _TOO_MANY:
            self._gate.hold(self._pacer.throttled(asked))
            return
        self._pacer.answered()
        if outcome.status == _UNAVAILABLE and asked is not None:
            self._pacer.hold(asked)
            self._gate.hold(asked)

    def _path(self, *parts: str) -> str:
        """Return a path below the API's base; a part stays one segment whatever it holds."""
        segments = [quote(part, safe="") for part in parts]
        if {"", ".", ".."} & set(segments):
            raise InvalidError("An id is empty or a dot segment.", code="id.format")
        return "/".join((f"{self._site.base}/api/v2", *segments))


def _unread(agent_id: AgentId, refused: Refused) -> UnreadAgent:
    return UnreadAgent(agent_id, refused.trouble.code, refused.trouble.reason)


def _unauthorized(outcome: Outcome) -> bool:
    return isinstance(outcome, Reply) and outcome.status == _UNAUTHORIZED


class _FirstReads:
    """Tells a client without permission from one agent that is forbidden."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forbidden = 0
        self._open = True

    def allowed(self) -> None:
        """Note an agent that was not forbidden; after that nothing is concluded any more."""
        self._open = False

    def forbidden(self, scope: str) -> None:
        """Note an agent that was; the third in a row from the start raises ``AuthError``."""
        with self._lock:
            self._forbidden += 1
            if self._open and self._forbidden >= FORBIDDEN_AT_START:
                raise lacks(scope)
