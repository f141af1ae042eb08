"""snapshot: every managed agent and its schedule, read once and kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cxplan.core.errors import UnavailableError
from cxplan.core.ids import AgentId
from cxplan.core.live import MissingAgent, UnreadableSchedule, UnreadAgent
from cxplan.core.model import Declarations
from cxplan.core.plan import TenantRef
from cxplan.core.resolve import resolve
from cxplan.core.snapshot import SnapshotAgent, SnapshotEntry, SnapshotHeader, SnapshotSummary
from cxplan.ports import Clock, Progress, Tenant, Workers

PATIENCE = 10
"""After so many agents that cannot be read the others are not asked for any more."""


class Keeper(Protocol):
    """Takes a snapshot in as it is read; nothing lasts before the end."""

    def begin(self, header: SnapshotHeader) -> None:
        """Take what holds for the whole; called once, first."""

    def add(self, entry: SnapshotEntry) -> None:
        """Take one agent; they come by id, each once."""


@dataclass(frozen=True, slots=True)
class SnapshotWorld:
    """The ports that a snapshot needs."""

    tenant: Tenant
    clock: Clock
    workers: Workers
    progress: Progress


@dataclass(frozen=True, slots=True)
class SnapshotRequest:
    """What a snapshot takes from its surroundings; ``width`` agents are read at once."""

    width: int
    tool_version: str


def take_snapshot(
    world: SnapshotWorld, request: SnapshotRequest, declarations: Declarations, keeper: Keeper
) -> SnapshotSummary:
    """Read every declared agent and its schedule into ``keeper``, and return what was found.

    An agent that the tenant does not know and a schedule that cannot be read are findings, and
    are kept.

    Raises:
        AuthError: credentials, scope or certificate refused.
        UnavailableError: the tenant cannot be reached, or some agents cannot be read: a part of
            a snapshot would look like all of it.
    """
    taken_at = world.clock.now().replace(microsecond=0)
    managed = tuple(agent.id for agent in resolve(declarations).agents)
    identity = world.tenant.connect(write=False)
    tenant = TenantRef(declarations.tenant, declarations.api, identity.origin, identity.tenant_id)
    lists = world.tenant.lists()
    header = SnapshotHeader(tenant, taken_at, len(managed), lists, request.tool_version)
    keeper.begin(header)
    missing, unreadable = _read_all(world, managed, request.width, keeper)
    return SnapshotSummary(header, missing, unreadable)


def _read_all(
    world: SnapshotWorld, managed: tuple[AgentId, ...], width: int, keeper: Keeper
) -> tuple[tuple[AgentId, ...], tuple[AgentId, ...]]:
    """Keep every agent; return those that are missing and those without a readable schedule."""
    missing: list[AgentId] = []
    unreadable: list[AgentId] = []
    unread: list[UnreadAgent] = []
    world.progress.start("Reading agents", len(managed))
    for reading in world.workers.map(_Reader(world.tenant).read, managed, width=width):
        world.progress.step()
        match reading:
            case UnreadAgent():
                unread.append(reading)
                if len(unread) == PATIENCE:
                    break
                continue
            case MissingAgent():
                missing.append(reading.id)
            case SnapshotAgent(schedule=UnreadableSchedule()):
                unreadable.append(reading.id)
            case SnapshotAgent():
                pass
        keeper.add(reading)
    world.progress.finish()
    if unread:
        raise _incomplete(unread, len(managed))
    return tuple(missing), tuple(unreadable)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one agent at a time; used from several threads."""

    tenant: Tenant

    def read(self, agent_id: AgentId) -> SnapshotEntry | UnreadAgent:
        """Return the agent with its schedule; who is not there has none."""
        reading = self.tenant.agent(agent_id)
        if isinstance(reading, MissingAgent | UnreadAgent):
            return reading
        return SnapshotAgent(reading, self.tenant.schedule(agent_id))


def _incomplete(unread: list[UnreadAgent], managed: int) -> UnavailableError:
    first = unread[0]
    count = f"{len(unread):,} of {managed:,} agents could not be read, this one first"
    rest = "; the rest was not tried" if len(unread) == PATIENCE else ""
    return UnavailableError(
        f"{first.reason} {count}{rest}. No snapshot was made.",
        code=first.code,
        address=first.id,
        hint="Run it again once the tenant answers; cxplan plan shows what it can do without them.",
    )
