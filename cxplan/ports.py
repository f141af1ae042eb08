"""What the use cases need of the world, as Protocols.

The edges implement these and ``wiring`` joins them; tests implement them too. A method raises
``CxplanError`` only where going on makes no sense; what concerns one agent comes back as a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol, TypeVar

from cxplan.core.address import Origin
from cxplan.core.answers import Answer, AvailabilityEvent, Write
from cxplan.core.due import Past
from cxplan.core.evidence import Closing, Head, Opening, RunStory, VerifyReport
from cxplan.core.history import History
from cxplan.core.ids import AgentId
from cxplan.core.live import (
    AgentReading,
    ObservedAgent,
    ScheduleReading,
    TenantIdentity,
    TenantLists,
)
from cxplan.core.model import Declarations, Source
from cxplan.core.outbox import Undelivered

Item = TypeVar("Item")
Result = TypeVar("Result")


def always() -> bool:
    """Let a write leave, whatever has happened since it was decided on."""
    return True


class Clock(Protocol):
    """Time, handed in so that tests need not wait."""

    def now(self) -> datetime:
        """Return the wall clock as an aware datetime in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never go back; only differences mean something."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Ids(Protocol):
    """Identifiers, handed in so that tests can foresee them."""

    def new(self) -> str:
        """Return a fresh uuid4 as text."""


class DesiredSource(Protocol):
    """The files that people write."""

    def read(self) -> Declarations:
        """Return everything that the files say.

        Raises:
            DesiredInvalid: with every problem of every file, each with its place.
        """

    def locate(self, source: Source) -> Origin:
        """Return the line and column of a value of the declarations that ``read`` returned."""


class Tenant(Protocol):
    """A tenant's agents, whatever the API behind it.

    All methods may be called from several threads at once.
    """

    @property
    def locking(self) -> str:
        """``etag`` where a write can be tied to the state it was decided on, else ``compare``."""

    def connect(self, *, write: bool) -> TenantIdentity:
        """Get a token, check its scopes for reading (and writing), and say who answered.

        Raises:
            AuthError: credentials, scopes or certificate refused.
            UnavailableError: not reachable, or an answer that is refused.
        """

    def agent(self, agent_id: AgentId) -> AgentReading:
        """Return the agent with all its assignments, the lock tag read before the values.

        Raises:
            AuthError: the token is refused for good, or the first reads are all forbidden.
            UnavailableError: the tenant cannot be reached at all, or answers what is refused.
        """

    def schedule(self, agent_id: AgentId) -> ScheduleReading:
        """Return the agent's shifts; never raises for what concerns this agent alone."""

    def lists(self) -> TenantLists:
        """Return the tenant's lists of skills and work modes.

        Raises:
            AuthError: a list is forbidden.
            UnavailableError: a list cannot be read whole, or is empty: an empty answer must never
                look like "there is nothing".
        """

    def write(
        self, change: Write, seen: ObservedAgent, may_leave: Callable[[], bool] = always
    ) -> Answer:
        """Send one write, at the tenant's pace, valid only against the state ``seen``.

        ``may_leave`` is asked when its turn has come, right before it is sent; where it says no,
        nothing is, and the answer is ``WITHDRAWN``.

        Raises:
            AuthError: the token is refused for good.
        """

    def publish(self, event: AvailabilityEvent, at: datetime) -> Answer:
        """Tell external systems of a write; ``at`` is the event's timestamp."""


class Run(Protocol):
    """The evidence of one apply, open until it is sealed."""

    @property
    def id(self) -> str:
        """The run's uuid."""

    def record(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Append one line to the journal; it is on disk when this returns. Thread-safe.

        Raises:
            EvidenceError: it could not be written; what it speaks of must not happen.
        """

    def seal(self, closing: Closing) -> Head:
        """Sign the bundle and give it its final name.

        Raises:
            EvidenceError: it could not be sealed; the journal stays.
        """


class CutRun(Run, Protocol):
    """A run that was cut off, opened again; it takes lines only after ``again``."""

    @property
    def plan(self) -> bytes:
        """The plan, byte for byte."""

    @property
    def records(self) -> Sequence[Mapping[str, Any]]:
        """The journal's complete lines as they were found: chained, and signed by nobody yet."""

    def again(self, fields: Mapping[str, Any]) -> None:
        """Append ``recovery.start``, which keeps what was torn at the journal's end.

        Raises:
            EvidenceError: it could not be written; the journal stays as it was.
        """


class Ledger(Protocol):
    """All runs of one tenant and writer."""

    def lock(self, *, plan_id: str, unsealed: bool = False) -> AbstractContextManager[None]:
        """Hold the ledger until the block ends; ``unsealed`` is for who settles an unsealed run.

        Raises:
            LockedError: another run holds it; the message says who, since when, on which plan.
            EvidenceError: the folder cannot be written, or a run in it is unsealed.
        """

    def applied(self, plan_id: str) -> str | None:
        """Return the id of the sealed run that wrote from this plan, or None."""

    def prepare(self) -> None:
        """Load the signing key, sign a probe and verify it, before anything is asked of a tenant.

        Raises:
            UnapprovedError: no key, or one that cannot sign.
        """

    def begin(self, opening: Opening, plan: bytes) -> Run:
        """Make the run's folder with the plan and the signed opening in it, all on disk.

        Raises:
            UnapprovedError: the ledger is another tenant's.
            EvidenceError: it could not be written; no PATCH may leave.
        """

    def undelivered(self) -> tuple[Undelivered, ...]:
        """Return the events that no sealed run could deliver yet, the oldest first.

        Raises:
            EvidenceError: a journal cannot be read.
        """

    def cut_off(self) -> Sequence[str]:
        """Return the ids of the unsealed runs: cut off, or under way where the lock is held."""

    def reopen(self, run: str) -> CutRun | None:
        """Return an unsealed run, its files checked; under ``lock`` with ``unsealed``, once.

        None where it was cut off before it could have written: its folder is removed.

        Raises:
            InvalidError: ``run`` fits none or several runs, or one that is sealed.
            EvidenceError: what lies in its folder is not what a run leaves.
        """

    def runs(self) -> Iterator[Head]:
        """Yield the heads of the sealed runs in order, without verifying them."""

    def story(self, run: str) -> RunStory:
        """Return what a sealed run says of itself, unverified.

        ``run`` is its uuid, a unique beginning of it, or its folder.

        Raises:
            InvalidError: it fits none or several runs.
            EvidenceError: the bundle cannot be read.
        """

    def verify(self, runs: Sequence[str] = (), *, expect_head: str | None = None) -> VerifyReport:
        """Check the named runs, or the whole ledger, and return every failure found."""


class Progress(Protocol):
    """Somebody who watches; the default does nothing."""

    def start(self, what: str, total: int) -> None:
        """A stage of ``total`` items begins."""

    def step(self, note: str = "") -> None:
        """One item is done; ``note`` is a line for the log. Thread-safe."""

    def finish(self) -> None:
        """The stage is over."""


class Workers(Protocol):
    """A bounded pool; the only place where threads are started."""

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item], *, width: int
    ) -> Iterator[Result]:
        """Yield ``function(item)`` in the order of ``items``, at most ``width`` under way."""


class LeavableWorkers(Workers, Protocol):
    """A pool whose work may be left behind once whoever waits has lost patience.

    ``map`` then ends early, without what is still under way.
    """

    def briefly(
        self, function: Callable[[Item], Result], items: Sequence[Item], *, seconds: float
    ) -> tuple[Result | None, ...]:
        """Return ``function(item)`` of each item, None where it took longer than ``seconds``."""


class Memory(Protocol):
    """What the sealed runs of a ledger say of themselves, unverified.

    ``tenant`` is the name that the files declare: what another tenant's runs wrote says nothing
    of it.
    """

    def last_values(self, tenant: str) -> History:
        """Return what a run last wrote or confirmed of each value; nothing for no ledger.

        Raises:
            UnapprovedError: the ledger is another tenant's.
            EvidenceError: the ledger or a journal in it cannot be read.
        """

    def past(self, tenant: str) -> Past:
        """Return when each agent was last as the files wanted it, and what was deferred since.

        Raises:
            UnapprovedError: the ledger is another tenant's.
            EvidenceError: the ledger or a journal in it cannot be read.
        """
