"""apply against ports in memory: outcomes, evidence, and what happens when either side fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxplan.core.answers import Answer, AvailabilityEvent, Failure, Write
from cxplan.core.diff import state_of
from cxplan.core.errors import AuthError, Exit
from cxplan.core.ids import AgentId
from cxplan.core.live import ObservedAgent, Shift, UnreadAgent
from cxplan.core.plan import Status
from tests.core.make import NOW, declarations, member, observed, schedule, shift, team
from tests.core.test_diff import LIVE, WANTED
from tests.usecases.fake import FakeLedger, FakeTenant, Stage


def stage(
    count: int = 3, *, wanted: int = 3, live: int = 5, ledger: FakeLedger | None = None
) -> Stage:
    """``count`` agents that hold voice at ``live``; the files want ``wanted``."""
    keys = [chr(ord("a") + i) for i in range(count)]
    files = declarations(team(*(member(key, {"voice": wanted}) for key in keys)))
    agents = {AgentId(f"id-{key}"): observed(key, {"voice": (live, 1)}) for key in keys}
    return Stage(files, FakeTenant(agents), ledger or FakeLedger())


def outcomes(on: Stage) -> dict[str, str]:
    return {line["agentId"]: line["outcome"] for line in on.journal.of("agent.outcome")}


def answering(*answers: Answer | None) -> Callable[[Write, Callable[[], Answer]], Answer]:
    """One after another; None lets the write through, and so does everything after the last."""
    queue: Iterator[Answer | None] = iter(answers)

    def on_write(_change: Write, commit: Callable[[], Answer]) -> Answer:
        given = next(queue, None)
        return commit() if given is None else given

    return on_write


def test_everything_is_written_once_recorded_and_told() -> None:
    on = stage()
    report = on.apply(on.plan())
    assert report.exit is Exit.OK
    assert set(outcomes(on).values()) == {"applied"}
    assert len(on.tenant.landed) == len(on.tenant.events) == 3
    assert on.plan().agents == ()
    kinds = [line["kind"] for line in on.journal.lines]
    one = ["agent.intent", "agent.attempt", "agent.outcome", "event.intent", "event.outcome"]
    assert kinds == ["run.start", *one * 3, "run.end"]
    assert on.journal.sealed is not None
    assert dict(on.journal.sealed.summary) == {"applied": 3}


def test_an_event_tells_before_and_after() -> None:
    on = stage(1)
    on.apply(on.plan())
    (event,) = on.tenant.events
    assert (event.previous.skills[0].level, event.new.skills[0].level) == (5, 3)
    assert event.previous.etag != event.new.etag


def test_cover_is_added_before_it_is_taken_away() -> None:
    files = declarations(
        team(member("a", {"voice": 9}), member("b", {"voice": 1}), member("c", {"voice": 2}))
    )
    agents = {AgentId(f"id-{key}"): observed(key, {"voice": (5, 1)}) for key in "abc"}
    on = Stage(files, FakeTenant(agents))
    on.apply(on.plan())
    assert [write.agent_id for write in on.tenant.writes] == ["id-b", "id-c", "id-a"]


def test_the_payload_names_only_what_changes_and_repeats_what_must_be_there() -> None:
    files = declarations(team(member("a", {"voice": 3, "chat": 5})))
    live = observed("a", {"voice": (5, 7, 9), "chat": (5, 3, 4), "mail": (2, 2)})
    on = Stage(files, FakeTenant({live.id: live}))
    on.apply(on.plan())
    (write,) = on.tenant.writes
    assert write.work_mode == "mode-available"
    assert [(s.skill_id, s.level, s.concurrent) for s in write.skills] == [("skill-1", 3, 7)]
    assert write.reason.startswith("cxplan ")
    assert write.reason.endswith(": desired state")
    assert len(write.reason) <= 200


@pytest.mark.parametrize(
    ("answer", "outcome", "code"),
    [
        (Answer(422, detail="no"), "rejected", Exit.PARTIAL),
        (Answer(403), "rejected", Exit.PARTIAL),
        (Answer(200, items=("x",)), "rejected", Exit.PARTIAL),
        (Answer(302), "failed", Exit.PARTIAL),
    ],
)
def test_one_agent_that_is_refused_does_not_stop_the_others(
    answer: Answer, outcome: str, code: Exit
) -> None:
    on = stage()
    on.tenant.on_write = answering(answer)
    report = on.apply(on.plan())
    assert outcomes(on) == {"id-a": outcome, "id-b": "applied", "id-c": "applied"}
    assert report.exit is code


def test_three_forbidden_writes_at_the_start_are_a_missing_permission() -> None:
    on = stage(5)
    on.tenant.on_write = answering(*[Answer(403)] * 5)
    report = on.apply(on.plan())
    assert report.exit is Exit.AUTH
    assert len(on.tenant.writes) == 3
    assert "Agent Management" in str(report.stopped)
    assert list(outcomes(on).values()).count("notAttempted") == 2


def test_a_write_that_lands_after_its_answer_was_lost_is_converged() -> None:
    on = stage(1)

    def late(_change: Write, commit: Callable[[], Answer]) -> Answer:
        commit()
        return Answer(None, Failure.LOST, detail="timeout")

    on.tenant.on_write = late
    assert on.apply(on.plan()).exit is Exit.OK
    assert outcomes(on) == {"id-a": "converged"}
    assert len(on.tenant.writes) == len(on.tenant.events) == 1


def test_a_tenant_that_loses_everything_is_given_up_and_the_outcome_is_open() -> None:
    on = stage(1)
    on.tenant.on_write = answering(*[Answer(None, Failure.LOST)] * 9)
    assert on.apply(on.plan()).exit is Exit.UNKNOWN
    assert len(on.tenant.writes) == 4
    assert on.tenant.events == []


def test_a_tenant_that_fails_itself_is_known_not_to_have_written() -> None:
    on = stage(1)
    on.tenant.on_write = answering(*[Answer(500)] * 9)
    assert on.apply(on.plan()).exit is Exit.PARTIAL
    assert outcomes(on) == {"id-a": "failed"}


def test_a_change_that_was_accepted_is_waited_for_and_not_sent_again() -> None:
    on = stage(1)
    on.tenant.on_write = answering(Answer(202))
    assert on.apply(on.plan()).exit is Exit.UNKNOWN
    assert len(on.tenant.writes) == 1
    assert on.clock.seconds >= 60


def test_an_unread_agent_and_a_gone_one() -> None:
    on = stage()
    plan = on.plan()
    on.tenant.readings[AgentId("id-a")] = UnreadAgent(AgentId("id-a"), "http.json", "cut")
    del on.tenant.agents[AgentId("id-b")]
    report = on.apply(plan)
    assert outcomes(on) == {"id-a": "unread", "id-b": "conflict", "id-c": "applied"}
    assert report.exit is Exit.PARTIAL


def test_a_tenant_that_stops_answering_ends_the_run_in_order() -> None:
    on = stage()
    plan = on.plan()

    def refused(_change: Write, _commit: Callable[[], Answer]) -> Answer:
        raise AuthError("The token was refused.")

    on.tenant.on_write = refused
    report = on.apply(plan)
    assert report.exit is Exit.AUTH
    assert set(outcomes(on).values()) == {"notAttempted"}
    assert on.journal.sealed is not None


@pytest.mark.parametrize(
    "then",
    [
        [Answer(429)] * 9,
        [Answer(None, Failure.NOT_SENT)] * 9,
        [Answer(429, retry_after=3600.0)],
    ],
    ids=["throttled", "not sent", "a long pause"],
)
def test_a_lost_write_stays_open_however_the_later_tries_end(then: list[Answer]) -> None:
    on = stage(1)
    on.tenant.on_write = answering(Answer(None, Failure.LOST), *then)
    assert on.apply(on.plan()).exit is Exit.UNKNOWN
    assert outcomes(on) == {"id-a": "unknown"}


def test_a_token_refused_after_a_lost_write_leaves_it_open() -> None:
    on = stage(2)

    def on_write(change: Write, _commit: Callable[[], Answer]) -> Answer:
        if on.tenant.writes.count(change) > 1:
            raise AuthError("The token was refused.")
        return Answer(None, Failure.LOST)

    on.tenant.on_write = on_write
    report = on.apply(on.plan())
    assert outcomes(on) == {"id-a": "unknown", "id-b": "notAttempted"}
    assert report.exit is Exit.UNKNOWN
    assert Exit.AUTH in report.exits


def test_a_signal_starts_nothing_new_and_seals() -> None:
    on = stage()
    plan = on.plan()
    on.stop = lambda: Exit.TERMINATED if on.tenant.writes else None
    report = on.apply(plan)
    assert report.exit is Exit.TERMINATED
    assert sorted(outcomes(on).values()) == ["applied", "notAttempted", "notAttempted"]
    assert on.journal.sealed is not None


@pytest.mark.parametrize("line", range(2, 18))
def test_when_the_journal_is_full_nothing_leaves_unrecorded(line: int) -> None:
    on = stage(ledger=FakeLedger(fail_at=line))
    report = on.apply(on.plan())
    intents = [entry["agentId"] for entry in on.journal.of("agent.intent")]
    assert [write.agent_id for write in on.tenant.writes] == intents
    assert report.exit in {Exit.AUDIT, Exit.UNKNOWN}
    assert on.journal.sealed is None
    assert report.head is None
    told = {agent.id: agent.outcome.value for agent in report.agents}
    landed = {write.agent_id for write in on.tenant.landed}
    assert {a for a, outcome in told.items() if outcome in {"applied", "unknown"}} >= landed
    assert len(told) == 3


def test_shifts_are_judged_again_at_the_time_of_the_write() -> None:
    files = declarations(team(member("a", mode="training")))
    live = observed("a", {"voice": (5, 1)})
    on = Stage(files, FakeTenant({live.id: live}))
    on.tenant.schedules[live.id] = schedule(shift(-1, 2, "training"))
    plan = on.plan()
    assert plan.agents[0].status is Status.READY
    on.tenant.schedules[live.id] = schedule(shift(3, 2, "training"))
    report = on.apply(plan)
    assert outcomes(on) == {"id-a": "deferred"}
    assert report.exit is Exit.OK
    assert on.tenant.writes == []


def test_an_agent_whom_somebody_else_stripped_is_not_stripped_of_its_last_skill() -> None:
    from tests.core.test_diff import DISABLED

    files = declarations(team(member("a", {"voice": DISABLED})))
    live = observed("a", {"voice": (5, 1), "mail": (2, 1)})
    on = Stage(files, FakeTenant({live.id: live}))
    plan = on.plan()
    on.tenant.put(
        live.id,
        live.work_mode,
        [replace(s, level=0) if s.skill_id == "skill-3" else s for s in live.skills],
    )
    report = on.apply(plan)
    assert report.exit is Exit.BLOCKED
    assert on.tenant.writes == []


@pytest.mark.parametrize(
    ("answers", "delivered", "undelivered", "sent"),
    [
        ([Answer(202)], 1, 0, 1),
        ([Answer(503), Answer(503), Answer(202)], 1, 0, 3),
        ([Answer(None, Failure.LOST), Answer(202)], 1, 0, 2),
        ([Answer(429)] * 9, 0, 1, 5),
        ([Answer(400), Answer(202)], 0, 1, 1),
    ],
)
def test_events_are_tried_again_and_never_spoil_the_write(
    answers: list[Answer], delivered: int, undelivered: int, sent: int
) -> None:
    on = stage(1)
    queue, count = iter(answers), 0

    def on_publish(_event: AvailabilityEvent) -> Answer:
        nonlocal count
        count += 1
        return next(queue)

    on.tenant.on_publish = on_publish
    report = on.apply(on.plan())
    assert report.exit is Exit.OK
    assert (len(on.tenant.events), report.undelivered_events, count) == (
        delivered,
        undelivered,
        sent,
    )
    (line,) = on.journal.of("event.outcome")
    assert line["state"] == ("delivered" if delivered else "undelivered")


def test_a_plan_without_a_ready_agent_begins_no_run() -> None:
    on = stage(wanted=5, live=5)
    report = on.apply(on.plan())
    assert report.run_id is None
    assert on.ledger.run is None
    assert report.exit is Exit.OK


AGENTS = st.lists(
    st.tuples(LIVE, WANTED, st.sampled_from([None, "training"])), min_size=1, max_size=6
)


@settings(max_examples=500, deadline=None)
@given(AGENTS)
def test_apply_writes_exactly_the_plan_and_then_it_is_empty(agents: Any) -> None:
    keys = [chr(ord("a") + i) for i in range(len(agents))]
    files = declarations(
        team(
            *(
                member(k, wanted, mode=mode)
                for k, (_, wanted, mode) in zip(keys, agents, strict=True)
            )
        )
    )
    off = replace(files.guards, max_agents_changed=None, max_skills_removed=None)
    files = replace(files, guards=replace(off, no_agent_without_skill=False))
    live = {
        AgentId(f"id-{k}"): observed(k, held) for k, (held, _, _) in zip(keys, agents, strict=True)
    }
    on = Stage(files, FakeTenant(dict(live)))
    for agent_id in live:
        on.tenant.schedules[agent_id] = schedule(shift(-1, 2, "training"))
    plan = on.plan()
    report = on.apply(plan)
    ready = {agent.id: agent for agent in plan.ready}
    assert {write.agent_id for write in on.tenant.landed} == set(ready)
    for agent_id, before in live.items():
        _exactly(before, on.tenant.agents[agent_id], ready.get(agent_id))
    again = on.plan()
    assert again.ready == ()
    left = {agent.id for agent in plan.agents if agent.changes} - set(ready)
    assert {agent.id for agent in again.agents if agent.changes} == left
    assert {a.outcome.value for a in report.agents if a.id in ready} <= {"applied"}


def _exactly(before: ObservedAgent, after: ObservedAgent, planned: Any) -> None:
    if planned is None:
        assert after == before
        return
    assert state_of(after) == planned.after
    touched = {change.skill_id for change in planned.changes}
    kept = [s for s in before.skills if s.skill_id not in touched]
    assert [s for s in after.skills if s.skill_id not in touched] == kept


def following(*shifts: Shift) -> tuple[Stage, AgentId]:
    """One agent that follows its shift and is available now."""
    files = declarations(team(member("a", mode="scheduled")))
    live = observed("a", {"voice": (5, 1)})
    on = Stage(files, FakeTenant({live.id: live}))
    on.tenant.schedules[live.id] = schedule(*shifts)
    return on, live.id


def test_who_follows_the_shift_is_moved_to_its_mode_until_it_ends() -> None:
    on, agent = following(shift(-1, 2, "training"))
    plan = on.plan()
    (planned,) = plan.agents
    assert planned.holds_until == NOW + timedelta(hours=1)
    assert [c.scheduled for c in planned.changes] == [True]
    assert on.apply(plan).exit is Exit.OK
    assert on.tenant.agents[agent].work_mode == "mode-training"
    assert on.plan().agents == ()


@pytest.mark.parametrize("shifts", [(), (shift(1, 2, "training"),), (shift(-3, 2, "training"),)])
def test_who_follows_the_shift_and_has_none_now_is_left_alone(shifts: tuple[Shift, ...]) -> None:
    on, _ = following(*shifts)
    assert on.plan().agents == ()


def test_a_shift_that_has_ended_by_now_makes_the_change_stale() -> None:
    on, _ = following(shift(-1, 2, "training"))
    plan = on.plan()
    on.clock.sleep(3600)
    report = on.apply(plan)
    assert outcomes(on) == {"id-a": "stale"}
    assert report.exit is Exit.STALE
    assert on.tenant.writes == []


def test_a_shift_that_was_planned_anew_makes_the_change_stale() -> None:
    on, agent = following(shift(-1, 2, "training"))
    plan = on.plan()
    on.tenant.schedules[agent] = schedule(shift(-1, 2, "off"))
    assert on.apply(plan).exit is Exit.STALE
    assert outcomes(on) == {"id-a": "stale"}


def test_overlapping_shifts_of_two_modes_block_who_follows_them() -> None:
    on, _ = following(shift(-1, 2, "training"), shift(-1, 3, "off"))
    (planned,) = on.plan().agents
    assert planned.status is Status.BLOCKED
    assert [f.id for f in planned.checks] == ["shift.dataError"]
