"""The gate: the breaker opens, probes with reads, lets one through, then all; or ends the run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from cxplan.core.answers import Answer, Failure
from cxplan.core.errors import Exit
from cxplan.core.ids import AgentId
from cxplan.usecases.apply.gate import Gate
from tests.usecases.fake import FakeClock

GOOD, BAD = Answer(200), Answer(503)


@dataclass
class Scene:
    """A gate whose probes answer what the test says."""

    probes: Iterator[bool]
    clock: FakeClock = field(default_factory=FakeClock)
    told: list[str] = field(default_factory=list)

    def gate(self) -> Gate:
        return Gate(self.clock, lambda: next(self.probes), lambda kind, _: self.told.append(kind))


def scene(*probes: bool) -> tuple[Scene, Gate]:
    made = Scene(iter(probes))
    return made, made.gate()


def test_it_stays_closed_while_the_tenant_answers() -> None:
    made, gate = scene()
    for answer in [GOOD, BAD, BAD, Answer(422), Answer(403)] * 9:
        assert gate.enter()
        gate.noted(answer)
        gate.leave()
    assert made.told == []


def test_five_faults_open_it_and_a_good_probe_lets_one_through_first() -> None:
    made, gate = scene(True)
    for _ in range(5):
        gate.noted(BAD)
    assert made.told == ["breaker.open"]
    assert gate.enter()
    assert made.clock.seconds == 15
    second = threading.Thread(target=gate.enter)
    second.start()
    second.join(0.05)
    assert second.is_alive(), "a second agent started while the first was on trial"
    gate.noted(GOOD)
    second.join(5)
    assert not second.is_alive()
    assert made.told == ["breaker.open", "breaker.close"]
    assert gate.enter()


def test_a_trial_that_fails_opens_it_again() -> None:
    made, gate = scene(True, True)
    for _ in range(5):
        gate.noted(BAD)
    assert gate.enter()
    gate.noted(Answer(None, Failure.LOST))
    assert made.told == ["breaker.open", "breaker.open"]
    assert gate.enter()
    assert made.clock.seconds == 30


def test_a_trial_that_sends_nothing_leaves_its_place_to_the_next() -> None:
    _, gate = scene(True)
    for _ in range(5):
        gate.noted(BAD)
    assert gate.enter()
    gate.leave()
    assert gate.enter()


def test_two_probes_that_fail_end_the_run() -> None:
    made, gate = scene(False, False, True)
    for _ in range(5):
        gate.noted(BAD)
    assert not gate.enter()
    assert made.clock.seconds == 30
    assert gate.exits == [Exit.UNAVAILABLE]
    assert "keeps failing" in str(gate.stopped)
    assert not gate.enter()


@pytest.mark.parametrize(("minutes", "stopped"), [(4.9, False), (5.1, True)])
def test_nothing_but_429_for_five_minutes_ends_the_run(minutes: float, stopped: bool) -> None:
    made, gate = scene()
    gate.noted(Answer(429))
    made.clock.sleep(minutes * 60)
    gate.noted(Answer(429))
    assert (gate.stopped is not None) is stopped


def test_a_success_in_between_starts_the_five_minutes_anew() -> None:
    made, gate = scene()
    for answer in (Answer(429), GOOD, Answer(429)):
        gate.noted(answer)
        made.clock.sleep(200)
    gate.noted(Answer(429))
    assert gate.stopped is None


def test_the_first_reason_to_stop_stays_and_every_code_counts() -> None:
    _, gate = scene()
    gate.stop("first", Exit.AUTH)
    gate.stop("second", Exit.UNAVAILABLE)
    assert gate.stopped == "first"
    assert gate.exits == [Exit.AUTH, Exit.UNAVAILABLE]


def test_who_waits_is_let_go_when_the_run_stops() -> None:
    _, gate = scene(True)
    for _ in range(5):
        gate.noted(BAD)
    assert gate.enter()
    results: list[bool] = []
    waiting = [threading.Thread(target=lambda: results.append(gate.enter())) for _ in range(3)]
    for thread in waiting:
        thread.start()
    gate.stop("enough", Exit.TERMINATED)
    for thread in waiting:
        thread.join(5)
    assert results == [False] * 3


def test_the_budget_is_shared() -> None:
    _, gate = scene()
    for _ in range(5):
        gate.sends_first()
    assert [gate.may_send_again() for _ in range(13)] == [True] * 11 + [False] * 2


def test_nothing_leaves_once_the_run_has_stopped_but_what_is_begun() -> None:
    _, gate = scene()
    assert gate.may_leave(AgentId("begun"))
    gate.stop("enough", Exit.PARTIAL)
    assert gate.may_leave(AgentId("begun"))
    assert not gate.may_leave(AgentId("waiting"))
    assert gate.has_left(AgentId("begun"))
    assert not gate.has_left(AgentId("waiting"))


def test_a_tenant_that_gave_up_on_us_is_sent_nothing_at_all() -> None:
    _, gate = scene()
    assert gate.may_leave(AgentId("begun"))
    gate.stop("nothing but 429", Exit.UNAVAILABLE)
    assert not gate.may_leave(AgentId("begun"))
    assert gate.has_left(AgentId("begun"))


def test_a_signal_is_heeded_by_whoever_has_its_turn() -> None:
    made, _ = scene()
    gate = Gate(made.clock, lambda: True, lambda _kind, _: None, lambda: Exit.TERMINATED)
    assert not gate.may_leave(AgentId("waiting"))
    assert (gate.stopped, gate.exits) == ("interrupted", [Exit.TERMINATED])
