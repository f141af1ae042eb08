"""The pace of writes and the width of reads."""

from __future__ import annotations

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from cxplan.core.answers import Failure, SkillWrite, Write
from cxplan.core.ids import SkillId, WorkModeId
from cxplan.tenant.pacing import Held, Pacer, ReadGate, Withdrawn
from tests.tenant.server import Asked, answer
from tests.tenant.stage import AGENT, PATCH, PROFILE, FakeClock, RealClock, in_turn, seen, stage

CHANGE = Write(AGENT, WorkModeId("wm-2"), (SkillWrite(SkillId("s1"), 5, 1),), "reason")


class PatientClock(FakeClock):
    """Fails where a wait would never end."""

    def sleep(self, seconds: float) -> None:
        assert len(self.sleeps) < 1000, "the wait does not end"
        super().sleep(seconds)


def pacer(clock: Any, *, rate: float = 5.0, jitter: float = 0.5) -> Pacer:
    return Pacer(clock, lambda: jitter, rate=rate)


def turns(clock: PatientClock, subject: Pacer, count: int, *, lasting: float = 0.0) -> list[float]:
    starts = []
    for _ in range(count):
        with subject.turn():
            starts.append(clock.passed)
            clock.passed += lasting
    return starts


def test_no_second_sees_more_than_five_starts() -> None:
    clock = PatientClock()
    starts = turns(clock, pacer(clock), 30)
    assert all(later - earlier >= 1.0 for earlier, later in zip(starts, starts[5:], strict=False))
    assert starts[1] - starts[0] == pytest.approx(0.21)


def test_no_burst_is_saved_up_while_nobody_writes() -> None:
    clock = PatientClock()
    subject = pacer(clock)
    turns(clock, subject, 1)
    clock.passed += 60
    starts = turns(clock, subject, 6)
    assert starts[5] - starts[0] == pytest.approx(5 * 0.21)


def test_the_interval_counts_from_the_end_of_a_slow_send() -> None:
    clock = PatientClock()
    assert turns(clock, pacer(clock), 3, lasting=0.5) == pytest.approx([0, 0.71, 1.42])


def test_a_turn_that_fails_counts_too() -> None:
    clock = PatientClock()
    subject = pacer(clock)
    with pytest.raises(OSError, match="broken"), subject.turn():
        raise OSError("broken")
    assert turns(clock, subject, 1) == pytest.approx([0.21])


def test_a_turn_that_is_not_wanted_any_more_is_the_next_ones() -> None:
    clock = PatientClock()
    subject = pacer(clock)
    turns(clock, subject, 1)
    with pytest.raises(Withdrawn) as caught, subject.turn(lambda: clock.passed < 0.2):
        pytest.fail("it was asked before its turn, or not at all")
    assert caught.value.outcome.failure is Failure.WITHDRAWN
    assert turns(clock, subject, 1) == pytest.approx([0.21])


@pytest.mark.parametrize(("rate", "interval"), [(1.0, 1.0), (0.5, 2.0), (5.0, 0.21), (50.0, 0.21)])
def test_the_rate_can_be_lowered_only(rate: float, interval: float) -> None:
    assert pacer(PatientClock(), rate=rate).interval == pytest.approx(interval)


def test_three_429_in_a_row_halve_the_rate_and_other_answers_break_the_row() -> None:
    subject = pacer(PatientClock())
    for _ in range(2):
        subject.throttled(0.0)
    subject.answered()
    for _ in range(2):
        subject.throttled(0.0)
    assert subject.interval == pytest.approx(0.21)
    subject.throttled(0.0)
    assert subject.interval == pytest.approx(0.42)
    for _ in range(3):
        subject.throttled(0.0)
    assert subject.interval == pytest.approx(0.84)


def test_without_retry_after_the_pause_grows_and_is_a_second_at_least() -> None:
    clock = PatientClock()
    assert [pacer(clock, jitter=0.0).throttled(None)] == [1.0]
    subject = pacer(clock, jitter=0.999)
    pauses = [subject.throttled(None) for _ in range(8)]
    assert pauses == sorted(pauses)
    assert 1.0 <= pauses[0] <= 2.0
    assert pauses[-1] == pytest.approx(30, rel=0.01)
    subject = pacer(clock, jitter=0.5)
    assert [subject.throttled(None) for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 15.0, 15.0]
    subject.answered()
    assert subject.throttled(None) == 1.0


def test_a_pause_that_is_not_about_the_rate_holds_writes_for_a_minute_at_most() -> None:
    clock = PatientClock()
    subject = pacer(clock)
    subject.hold(3.0)
    assert turns(clock, subject, 1) == pytest.approx([3.0])
    subject.hold(600.0)
    assert turns(clock, subject, 1) == pytest.approx([63.0])
    assert subject.interval == pytest.approx(0.21)


def test_the_longer_pause_of_two_counts() -> None:
    clock = PatientClock()
    subject = pacer(clock)
    subject.throttled(20.0)
    subject.throttled(5.0)
    assert turns(clock, subject, 1) == pytest.approx([20.0])


def test_a_pause_reaches_those_who_wait_already() -> None:
    clock = PatientClock()
    subject = pacer(clock)

    def somebody_is_throttled() -> None:
        if not clock.sleeps:
            subject.throttled(3.0)

    clock.meanwhile = somebody_is_throttled
    assert turns(clock, subject, 2) == pytest.approx([0, 3.0])
    assert len(clock.sleeps) == 2


def test_a_pause_over_a_minute_is_not_waited_for_until_it_is_nearly_over() -> None:
    clock = PatientClock()
    subject = pacer(clock)
    subject.throttled(3600.0)
    with pytest.raises(Held) as caught, subject.turn():
        pytest.fail("the turn was given")
    assert caught.value.seconds == pytest.approx(3600)
    clock.passed += 3550
    assert turns(clock, subject, 1) == pytest.approx([3600])


def test_eight_real_threads_keep_the_pace_at_the_tenant_over_the_wire() -> None:
    with stage(clock=RealClock()) as here:
        here.tenant.connect(write=True)
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda _: here.tenant.write(CHANGE, seen()), range(12)))
        assert {reply.status for reply in replies} == {200}
        asked = [asked for asked in here.server.asked if asked.key == PATCH]
    # Each body tells when it was handed to its connection; what the network adds is not ours.
    sent = sorted(datetime.fromisoformat(a.json["metadata"]["timestamp"]) for a in asked)
    assert len(sent) == 12
    gaps = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(sent)]
    assert min(gaps) >= 0.2
    in_sixes = zip(sent, sent[5:], strict=False)
    assert all((last - first).total_seconds() > 1.0 for first, last in in_sixes)
    arrived = sorted(a.at for a in asked)
    assert arrived[-1] - arrived[0] < 11 * 0.21 + 2.0


def test_the_connection_is_ready_before_the_turn_is_taken_over_the_wire() -> None:
    clock = PatientClock()
    with stage(clock=clock) as here:
        here.tenant.connect(write=True)
        here.tenant.write(CHANGE, seen())
        before = here.server.connections
        at_the_wait: list[int] = []

        def noting() -> None:
            deadline = time.monotonic() + 2
            while here.server.connections == before and time.monotonic() < deadline:
                time.sleep(0.005)
            at_the_wait.append(here.server.connections)

        clock.meanwhile = noting
        with ThreadPoolExecutor(1) as pool:  # a new thread, so a connection of its own
            assert pool.submit(here.tenant.write, CHANGE, seen()).result().status == 200
        assert at_the_wait == [before + 1]
        assert here.server.connections == before + 1


def test_a_429_on_one_thread_holds_all_others_back_over_the_wire() -> None:
    slow = answer({}, 429, headers=[("Retry-After", "1")])
    done = answer({"workModeId": "w"})
    with stage({PATCH: in_turn(slow, done)}, clock=RealClock()) as here:
        assert here.tenant.write(CHANGE, seen()).status == 429
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: here.tenant.write(CHANGE, seen()), range(3)))
        first, *others = [asked.at for asked in here.server.asked if asked.key == PATCH]
    assert len(others) == 3
    assert min(others) - first >= 1.0


# --- reads ------------------------------------------------------------------------------------


def gate(clock: Any, width: int = 16) -> ReadGate:
    return ReadGate(clock, lambda: 0.5, width=width)


def throttle(subject: ReadGate, retry_after: float | None = 0.0) -> None:
    with subject.slot() as generation:
        pass
    subject.throttled(generation, retry_after)


def test_a_429_halves_the_width_which_grows_by_one_a_second() -> None:
    clock = PatientClock()
    subject = gate(clock)
    throttle(subject)
    widths = []
    for _ in range(10):
        widths.append(subject.width)
        clock.passed += 1
    assert widths == [8, 9, 10, 11, 12, 13, 14, 15, 16, 16]


def test_the_width_does_not_grow_during_a_pause() -> None:
    clock = PatientClock()
    subject = gate(clock)
    throttle(subject, 10.0)
    clock.passed += 10
    assert subject.width == 8


def test_reads_that_ran_side_by_side_halve_it_once() -> None:
    subject = gate(PatientClock())
    with subject.slot() as one, subject.slot() as two, subject.slot() as three:
        pass
    for generation in (one, two, three):
        subject.throttled(generation, 0.0)
    assert subject.width == 8
    with subject.slot() as one, subject.slot() as two:
        pass
    for generation in (one, two):
        subject.throttled(generation, 0.0)
    assert subject.width == 4


def test_half_of_an_odd_width_is_rounded_down() -> None:
    subject = gate(PatientClock(), width=5)
    throttle(subject)
    assert subject.width == 2


def test_the_width_never_falls_under_one() -> None:
    subject = gate(PatientClock(), width=2)
    for _ in range(5):
        throttle(subject)
    assert subject.width == 1


def test_without_retry_after_reads_pause_longer_each_time_until_one_is_answered() -> None:
    clock = PatientClock()
    subject = gate(clock)
    pauses = []
    for _ in range(4):
        throttle(subject, None)
        before = clock.passed
        with subject.slot():
            pauses.append(clock.passed - before)
    assert pauses == pytest.approx([1.0, 2.0, 4.0, 8.0])
    subject.answered()
    throttle(subject, None)
    before = clock.passed
    with subject.slot():
        assert clock.passed - before == pytest.approx(1.0)


def test_five_minutes_of_nothing_but_429_end_the_reading() -> None:
    clock = PatientClock()
    subject = gate(clock)
    throttle(subject)
    clock.passed += 300.0
    throttle(subject)
    clock.passed += 0.5
    with pytest.raises(Held) as caught:
        throttle(subject, 7.0)
    assert caught.value.seconds == 7.0


def test_an_answer_in_between_starts_the_five_minutes_anew() -> None:
    clock = PatientClock()
    subject = gate(clock)
    throttle(subject)
    clock.passed += 200.0
    subject.answered()
    clock.passed += 200.0
    throttle(subject)
    clock.passed += 200.0
    throttle(subject)
    clock.passed += 200.0
    with pytest.raises(Held):
        throttle(subject)


def test_a_pause_holds_every_read() -> None:
    clock = PatientClock()
    subject = gate(clock)
    throttle(subject, 5.0)
    with subject.slot():
        assert clock.passed == pytest.approx(5)
    subject.hold(600.0)
    with subject.slot():
        assert clock.passed == pytest.approx(65)  # writers' long pauses hold reads for a minute


def test_a_long_pause_of_reads_is_not_waited_for() -> None:
    subject = gate(PatientClock())
    throttle(subject, 61.0)
    with pytest.raises(Held), subject.slot():
        pytest.fail("the slot was given")


def test_no_more_reads_run_than_the_width_allows_over_the_wire() -> None:
    running, most = 0, 0
    lock = threading.Lock()

    def slow(_: Asked) -> Any:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return answer({"id": "1001"})

    with stage({PROFILE: slow}, read_width=3) as here, ThreadPoolExecutor(12) as pool:
        here.tenant.connect(write=False)
        list(pool.map(here.tenant.agent, [AGENT] * 40))
    assert most == 3


def test_a_read_beyond_the_width_waits_until_another_one_has_ended() -> None:
    subject = gate(RealClock(), width=2)
    begun = threading.Event()

    def third() -> None:
        with subject.slot():
            begun.set()

    waiting = threading.Thread(target=third, daemon=True)
    for _ in range(3):
        with subject.slot():
            pass
    with subject.slot():
        with subject.slot():
            waiting.start()
            assert not begun.wait(0.1)
        assert begun.wait(5)
    waiting.join(5)
    assert not waiting.is_alive()


def test_a_read_that_fails_gives_its_place_back() -> None:
    subject = gate(PatientClock(), width=1)
    for _ in range(3):
        with pytest.raises(OSError, match="broken"), subject.slot():
            raise OSError("broken")


def test_waiting_reads_go_on_when_the_width_has_shrunk() -> None:
    subject = gate(RealClock(), width=8)
    throttle(subject)
    throttle(subject)
    throttle(subject)
    done = []

    def read(number: int) -> None:
        with subject.slot():
            done.append(number)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(read, range(200)))
    assert sorted(done) == list(range(200))
