"""What is on record of a write that nobody waited for: as it was sent, not as it was planned."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from cxplan.core.answers import Answer, AvailabilityEvent, Failure, Write
from cxplan.core.errors import Exit
from cxplan.core.ids import AgentId, ETag
from cxplan.core.live import ObservedAgent
from cxplan.core.outbox import undelivered
from tests.core.make import declarations, member, observed, schedule, shift, team
from tests.usecases.fake import FakeTenant, InOrder, Killed, Stage
from tests.usecases.past import Chronicle

Item = TypeVar("Item")
Output = TypeVar("Output")
A = AgentId("id-a")


@dataclass
class Impatient(InOrder):
    """Leaves behind what still hangs once a signal came."""

    signal: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    left: list[threading.Thread] = field(default_factory=list)

    def map(
        self, function: Callable[[Item], Output], items: Iterable[Item], *, width: int
    ) -> Iterator[Output]:
        del width
        for item in items:
            found: list[Output] = []
            work = threading.Thread(target=_append, args=(found, function, item), daemon=True)
            work.start()
            while work.is_alive() and not self.signal.is_set():
                work.join(0.01)
            if not found:
                self.left.append(work)
                return
            yield found[0]

    def hang(self) -> Answer:
        """Be interrupted, and get no answer before the run is over."""
        self.signal.set()
        self.over.wait()
        return Answer(None, Failure.LOST)


def _append(found: list[Output], function: Callable[[Item], Output], item: Item) -> None:
    found.append(function(item))


Fate = Callable[[Callable[[], Answer]], object]


def interrupted(*fates: Fate) -> Stage:
    """Planned to chat 2 and voice 3; then somebody sets chat to 2 as well.

    ``fates`` are what becomes of one write after another; the last is left in flight.
    """
    files = declarations(team(member("a", {"chat": 2, "voice": 3})))
    agent = observed("a", {"chat": (5, 1), "voice": (5, 1)})
    workers = Impatient()
    on = Stage(files, FakeTenant({A: agent}), workers=workers)
    on.tenant.schedules[A] = schedule(shift(-1, 5, "available"))
    on.stop = lambda: Exit.INTERRUPTED if workers.signal.is_set() else None
    queue = iter(fates)

    def on_write(_change: Write, commit: Callable[[], Answer]) -> Answer:
        fate = next(queue)
        if fate is fates[-1]:
            fate(commit)
            return workers.hang()
        answer = fate(commit)
        assert isinstance(answer, Answer)
        return answer

    on.tenant.on_write = on_write
    plan = on.plan()
    somebody(on, {"chat": (2, 1), "voice": (5, 1)})
    try:
        on.apply(plan)
    finally:
        workers.over.set()
        for thread in workers.left:
            thread.join()
    return on


def somebody(on: Stage, skills: dict[str, Any]) -> None:
    """Another admin's change."""
    on.tenant.put(A, on.tenant.agents[A].work_mode, observed("a", skills).skills)


def outcome(on: Stage) -> Any:
    (line,) = on.journal.of("agent.outcome")
    return line


def levels(state: Any) -> dict[str, int]:
    return {skill["skillId"]: skill["level"] for skill in state["skills"]}


def checked(record: Any) -> tuple[bool, bool]:
    flags = record["complianceFlags"]
    return flags["concurrentLimitsChecked"], flags["optimisticLockingApplied"]


def lands(commit: Callable[[], Answer]) -> Answer:
    return commit()


def vanishes(_commit: Callable[[], Answer]) -> None:
    """Nothing of it arrives."""


def fails(_commit: Callable[[], Answer]) -> Answer:
    return Answer(503, headers=(("retry-after", "1"),), latency_ms=7)


@pytest.mark.parametrize(("fate", "word"), [(lands, "converged"), (vanishes, "unknown")])
def test_the_record_of_who_is_left_is_of_the_state_that_was_written_on(
    fate: Fate, word: str
) -> None:
    on = interrupted(fate)
    record, (intent,) = outcome(on), on.journal.of("agent.intent")
    assert record["outcome"] == word
    assert record["previousState"] == intent["before"]
    assert sorted(levels(record["previousState"]).values()) == [2, 5]
    assert record["etagBefore"] == intent["ifMatch"] == '"100"'
    assert record["validation"] == {"passed": True, "errors": []}
    assert record["metrics"]["attempts"] == 1
    assert checked(record) == (True, True)


def test_the_event_of_who_is_left_tells_of_the_state_that_was_written_on() -> None:
    on = interrupted(lands)
    events = [line for line in on.journal.lines if line["kind"].startswith("event.")]
    ((waiting,),) = [undelivered([("run", events)])]
    event: AvailabilityEvent = waiting.event
    assert event.previous.etag == ETag('"100"')
    assert sorted(held.level or 0 for held in event.previous.skills) == [2, 5]


def test_who_is_left_after_an_answer_keeps_it() -> None:
    on = interrupted(fails, lands)
    record = outcome(on)
    assert record["outcome"] == "converged"
    assert record["metrics"]["attempts"] == 2
    assert record["metrics"]["latencyMs"] == 7
    assert record["apiResponse"] == {"status": 503, "headers": {"retry-after": "1"}}


def test_a_rollback_of_an_interrupted_run_leaves_what_it_never_sent() -> None:
    on = interrupted(lands)
    chronicle = Chronicle(on)
    chronicle.runs.append([line | {"at": "2026-11-25T12:00:00Z"} for line in on.journal.lines])
    plan = on.planned(back=chronicle.run())
    assert [(c.path, c.after) for agent in plan.agents for c in agent.changes] == [
        ("skills/voice/level", 5)
    ]


def test_a_change_between_two_intents_is_before_the_write() -> None:
    """The first one is answered 412: what stood there then is not what the run replaced."""
    files = declarations(team(member("a", {"chat": 2, "voice": 3})))
    on = Stage(files, FakeTenant({A: observed("a", {"chat": (5, 1), "voice": (5, 1)})}))

    def on_write(_change: Write, commit: Callable[[], Answer]) -> Answer:
        on.tenant.on_write = None
        somebody(on, {"chat": (2, 1), "voice": (5, 1)})
        return commit()

    on.tenant.on_write = on_write
    on.apply(on.plan())
    record, intents = outcome(on), on.journal.of("agent.intent")
    assert record["outcome"] == "applied"
    assert len(intents) == 2
    assert record["previousState"] == intents[-1]["before"]
    assert record["etagBefore"] == intents[-1]["ifMatch"]
    assert record["metrics"]["attempts"] == 2


# --- after a kill ---------------------------------------------------------------------------


def killed(*, lands_late: bool) -> Stage:
    """Answered 504 once, and killed before anybody looked."""
    agent: ObservedAgent = observed("a", {"voice": (5, 1)})
    on = Stage(declarations(team(member("a", {"voice": 3}))), FakeTenant({A: agent}))
    on.tenant.schedules[A] = schedule(shift(-1, 5, "available"))
    on.ledger.dies_at = 4

    def on_write(_change: Write, commit: Callable[[], Answer]) -> Answer:
        if lands_late:
            commit()
        return Answer(504, headers=(("date", "now"),), latency_ms=9)

    on.tenant.on_write = on_write
    with pytest.raises(Killed):
        on.apply(on.plan())
    on.journal.dies_at = None
    on.tenant.on_write = None
    return on


@pytest.mark.parametrize("lands_late", [True, False])
def test_a_recovered_record_keeps_checks_and_attempts(*, lands_late: bool) -> None:
    on = killed(lands_late=lands_late)
    on.recover()
    record = outcome(on)
    assert record["outcome"] == ("converged" if lands_late else "unknown")
    assert record["metrics"]["attempts"] == 1
    assert record["metrics"]["latencyMs"] == 9
    assert record["apiResponse"] == {"status": 504, "headers": {"date": "now"}}
    assert record["validation"]["passed"]
    assert checked(record) == (True, True)


def test_a_resumed_record_counts_the_attempts_before_the_cut() -> None:
    on = killed(lands_late=False)
    on.resume()
    record = outcome(on)
    assert record["outcome"] == "applied"
    assert record["metrics"]["attempts"] == 2


def test_who_is_not_reached_again_after_a_cut_is_told_of_by_the_journal() -> None:
    on = killed(lands_late=False)
    on.stop = lambda: Exit.INTERRUPTED if on.journal.of("recovery.start") else None
    on.resume()
    record = outcome(on)
    assert record["outcome"] == "unknown"
    assert record["previousState"] == on.journal.of("agent.intent")[0]["before"]
    assert record["metrics"]["attempts"] == 1
