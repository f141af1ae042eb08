"""A signal before a run begins, and while events are told; against ports in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from cxplan.core.answers import Answer, AvailabilityEvent
from cxplan.core.errors import Exit, Interrupted
from cxplan.core.evidence import Opening
from cxplan.core.ids import AgentId
from cxplan.core.live import TenantIdentity
from cxplan.core.outbox import Undelivered
from tests.core.make import declarations, member, observed, team
from tests.usecases.fake import FakeClock, FakeLedger, FakeRun, FakeTenant, InOrder, Killed, Stage

EARLIER = "an-earlier-run"


def stage(*, live: int = 5, left: int = 0, clock: FakeClock | None = None) -> Stage:
    """Two agents whom the files want at voice 3; ``left`` events are of an earlier run."""
    files = declarations(team(*(member(key, {"voice": 3}) for key in "ab")))
    agents = {AgentId(f"id-{key}"): observed(key, {"voice": (live, 1)}) for key in "ab"}
    events = (AvailabilityEvent(agent, seen, seen) for agent, seen in agents.items())
    outbox = tuple(Undelivered(EARLIER, event) for event in events)[:left]
    ledger = FakeLedger(outbox=outbox)
    return Stage(files, FakeTenant(agents), ledger, clock or FakeClock())


def outcomes(on: Stage) -> list[str]:
    return [line["outcome"] for line in on.journal.of("agent.outcome")]


def told(on: Stage) -> list[tuple[str | None, str, str, bool]]:
    """How the sending of each event ended; each was announced, once."""
    ended = on.journal.of("event.outcome")
    begun = [(line["of"], line["agentId"]) for line in on.journal.of("event.intent")]
    assert sorted(map(str, begun)) == sorted(str((e["of"], e["agentId"])) for e in ended)
    return [(e["of"], e["agentId"], e["state"], e["again"]) for e in ended]


# --- while events are told ----------------------------------------------------------------------


def test_a_signal_while_what_was_left_is_delivered_stops_the_run() -> None:
    on = stage(left=2)
    on.stop = lambda: Exit.TERMINATED if on.tenant.events else None
    report = on.apply(on.plan())
    assert told(on) == [
        (EARLIER, "id-a", "delivered", False),
        (EARLIER, "id-b", "undelivered", True),
    ]
    assert on.tenant.writes == []
    assert outcomes(on) == ["notAttempted", "notAttempted"]
    assert (report.exit, report.stopped) == (Exit.TERMINATED, "interrupted")
    assert on.journal.sealed is not None


@pytest.mark.parametrize(("left", "exit_code"), [(2, Exit.INTERRUPTED), (1, Exit.OK)])
def test_a_run_for_events_alone_is_interrupted_if_one_is_left(left: int, exit_code: Exit) -> None:
    on = stage(live=3, left=left)
    on.stop = lambda: Exit.INTERRUPTED if on.tenant.events else None
    report = on.apply(on.plan())
    assert (report.exit, report.undelivered_events) == (exit_code, left - 1)
    assert on.journal.sealed is not None
    assert on.journal.sealed.exit is exit_code


def test_a_signal_while_an_event_is_sent_again_leaves_it_and_the_rest() -> None:
    """The writes stand; each event was sent once right after its write, and one of them again."""
    on, sent = stage(), []

    def on_publish(event: AvailabilityEvent) -> Answer:
        sent.append(event.agent_id)
        return Answer(503)

    on.tenant.on_publish = on_publish
    on.stop = lambda: Exit.INTERRUPTED if len(sent) == 3 else None
    report = on.apply(on.plan())
    assert sent == ["id-a", "id-b", "id-a"]
    assert told(on) == [
        (None, "id-a", "undelivered", True),
        (None, "id-b", "undelivered", True),
    ]
    assert outcomes(on) == ["applied", "applied"]
    assert (report.exit, report.stopped) == (Exit.INTERRUPTED, "interrupted")
    assert report.undelivered_events == 2
    assert on.journal.sealed is not None


@dataclass
class SignalledClock(FakeClock):
    """A signal comes as soon as somebody sleeps."""

    def stop(self) -> Exit | None:
        return Exit.HANGUP if self.seconds else None


def test_a_signal_ends_the_wait_before_an_event_is_sent_again() -> None:
    clock = SignalledClock()
    on = stage(clock=clock)
    on.tenant.on_publish = lambda _event: Answer(503)
    on.stop = clock.stop
    assert on.apply(on.plan()).exit is Exit.HANGUP
    assert clock.seconds <= 0.1


# --- before a run begins ------------------------------------------------------------------------


@dataclass
class Watched(FakeTenant):
    """Notes when it is asked."""

    notes: list[str] = field(default_factory=list)

    def connect(self, *, write: bool) -> TenantIdentity:
        self.notes.append("connect")
        return FakeTenant.connect(self, write=write)


@dataclass
class WatchedLedger(FakeLedger):
    """Notes when a run begins."""

    notes: list[str] = field(default_factory=list)

    def begin(self, opening: Opening, plan: bytes) -> FakeRun:
        self.notes.append("begin")
        return FakeLedger.begin(self, opening, plan)


def watched() -> tuple[Stage, list[str]]:
    """A stage and what happens on it, with where signals ask for an orderly stop."""
    on, notes = stage(), list[str]()

    @contextmanager
    def in_order() -> Iterator[None]:
        notes.append("in order")
        yield
        notes.append("over")

    on.tenant = Watched(on.tenant.agents, notes=notes)
    on.ledger = WatchedLedger(notes=notes)
    on.in_order = in_order
    return on, notes


def test_signals_are_ordinary_until_right_before_a_run_begins() -> None:
    on, notes = watched()
    on.apply(on.plan())
    assert notes[-4:] == ["connect", "in order", "begin", "over"]


def test_a_signal_right_before_a_run_begins_leaves_none() -> None:
    on, notes = watched()
    on.stop = lambda: Exit.TERMINATED if "in order" in notes else None
    with pytest.raises(Interrupted) as error:
        on.apply(on.plan())
    assert error.value.exit_code is Exit.TERMINATED
    assert on.ledger.run is None
    assert on.tenant.writes == []


def test_a_signal_right_before_a_run_is_gone_on_with_leaves_it_as_it_was() -> None:
    on, notes = watched()
    on.ledger.dies_at = 4
    with pytest.raises(Killed):
        on.apply(on.plan())
    on.journal.dies_at = None
    lines = list(on.journal.lines)
    del notes[:]
    on.stop = lambda: Exit.HANGUP if "in order" in notes else None
    with pytest.raises(Interrupted) as error:
        on.resume()
    assert error.value.exit_code is Exit.HANGUP
    assert notes == ["connect", "in order"]
    assert on.journal.lines == lines


# --- where the machine has no room ----------------------------------------------------------------


class NoRoom(InOrder):
    """No thread can be started."""

    def map(
        self, function: Callable[[Any], Any], items: Iterable[Any], *, width: int
    ) -> Iterator[Any]:
        del function, items, width
        raise RuntimeError("can't start new thread")


def test_events_that_nobody_can_send_are_kept_and_the_run_is_sealed() -> None:
    on = stage(left=2)
    on.workers = NoRoom()
    report = on.apply(on.plan())
    assert told(on) == [
        (EARLIER, "id-a", "undelivered", True),
        (EARLIER, "id-b", "undelivered", True),
    ]
    assert outcomes(on) == ["notAttempted", "notAttempted"]
    assert report.exit is Exit.INTERNAL
    assert "RuntimeError" in (report.stopped or "")
    assert on.journal.sealed is not None
