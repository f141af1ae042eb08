"""Runs that were cut off, against ports in memory: at every line, and with a write on its way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from cxplan.core.answers import Answer, Failure, Write
from cxplan.core.cutoff import OpenWrite, after_cut, cut_of, may_go_again
from cxplan.core.diff import Change, Op
from cxplan.core.errors import CxplanError, EvidenceError, Exit, InvalidError, UnavailableError
from cxplan.core.ids import AgentId, SkillId
from cxplan.core.live import (
    AgentReading,
    MissingAgent,
    ObservedAgent,
    TenantIdentity,
    UnreadAgent,
)
from cxplan.core.outbox import undelivered
from tests.core.make import declarations, member, observed, schedule, shift, team
from tests.usecases.fake import FakeLedger, FakeTenant, Killed, Stage

KEYS = ("a", "b", "c")
LINES = 17
"""Of an apply of three agents: a start, five lines an agent, an end."""


def stage(keys: tuple[str, ...] = KEYS, dies_at: int | None = None) -> Stage:
    files = declarations(team(*(member(key, {"voice": 3}) for key in keys)))
    agents = {AgentId(f"id-{key}"): observed(key, {"voice": (5, 1)}) for key in keys}
    return Stage(files, FakeTenant(agents), FakeLedger(dies_at=dies_at))


def cut_at(line: int) -> Stage:
    """An apply that was killed before it wrote this line."""
    on = stage(dies_at=line)
    with pytest.raises(Killed):
        on.apply(on.plan())
    on.journal.dies_at = None
    return on


def outcomes(on: Stage) -> dict[str, str]:
    found = on.journal.of("agent.outcome")
    ended = {line["agentId"]: line["outcome"] for line in found}
    assert len(ended) == len(found)
    return ended


def agree(on: Stage) -> None:
    """Hold the journal against the tenant."""
    ended = outcomes(on)
    landed = Counter(write.agent_id for write in on.tenant.landed)
    intents = {line["agentId"] for line in on.journal.of("agent.intent")}
    assert ended.keys() == on.tenant.agents.keys()
    assert landed.keys() <= intents
    assert set(landed.values()) <= {1}
    for agent_id, outcome in ended.items():
        if outcome in {"applied", "converged"}:
            assert agent_id in landed
        elif outcome != "unknown":
            assert agent_id not in landed, outcome
    assert [line["kind"] for line in on.journal.lines][-1] == "run.end"
    assert on.journal.sealed is not None
    assert on.journal.sealed.summary == Counter(ended.values())


def told_or_waiting(on: Stage) -> set[str]:
    """The agents whose event was sent, or waits for the next apply."""
    waiting = undelivered([("run", [e for e in on.journal.lines if e["kind"][:6] == "event."])])
    return {event.agent_id for event in on.tenant.events} | {one.event.agent_id for one in waiting}


# --- killed before every line ---------------------------------------------------------------


@pytest.mark.parametrize("line", range(1, LINES + 1))
def test_recovered_wherever_it_was_killed(line: int) -> None:
    on = cut_at(line)
    before = list(on.journal.lines)
    sent = len(on.tenant.writes)
    done = on.recover()
    assert done.report is not None
    agree(on)
    assert on.journal.lines[: line - 1] == before
    assert len(on.tenant.writes) == sent
    assert on.journal.sealed is not None
    assert on.journal.sealed.recovered
    assert told_or_waiting(on) == {write.agent_id for write in on.tenant.landed}
    codes = {"unknown": Exit.UNKNOWN, "notAttempted": Exit.PARTIAL}
    found = [code for word, code in codes.items() if word in outcomes(on).values()]
    assert done.report.exit is (found or [Exit.OK])[0]


@pytest.mark.parametrize("line", range(1, LINES + 1))
def test_recovered_wherever_its_recovery_was_killed(line: int) -> None:
    whole = cut_at(line)
    whole.recover()
    for again in range(line, len(whole.journal.lines) + 1):
        on = cut_at(line)
        on.journal.dies_at = again
        with pytest.raises(Killed):
            on.recover()
        on.journal.dies_at = None
        on.recover()
        agree(on)
        assert outcomes(on) == outcomes(whole)
        assert told_or_waiting(on) == told_or_waiting(whole)


@pytest.mark.parametrize("line", range(1, LINES + 1))
def test_gone_on_with_wherever_it_was_killed(line: int) -> None:
    on = cut_at(line)
    before = list(on.journal.lines)
    report = on.resume()
    agree(on)
    assert report.exit is Exit.OK
    assert on.journal.lines[: line - 1] == before
    assert sorted(write.agent_id for write in on.tenant.landed) == ["id-a", "id-b", "id-c"]
    assert {event.agent_id for event in on.tenant.events} == set(on.tenant.agents)
    assert on.plan().agents == ()


@pytest.mark.parametrize("line", range(1, LINES + 1, 3))
def test_gone_on_with_wherever_that_was_killed(line: int) -> None:
    whole = cut_at(line)
    whole.resume()
    for again in range(line, len(whole.journal.lines) + 1):
        on = cut_at(line)
        on.journal.dies_at = again
        with pytest.raises(Killed):
            on.resume()
        on.journal.dies_at = None
        on.resume()
        agree(on)
        assert len(on.tenant.landed) == 3


# --- a write on its way ---------------------------------------------------------------------


def killed_in(landed: bool) -> Stage:
    """An apply that was killed inside its first PATCH, after it landed or before it arrived."""
    on = stage(keys=("a",))

    def on_write(_write: Write, commit: Callable[[], Answer]) -> Answer:
        if landed:
            commit()
        raise Killed

    on.tenant.on_write = on_write
    with pytest.raises(Killed):
        on.apply(on.plan())
    on.tenant.on_write = None
    return on


def test_write_that_landed_is_converged_and_its_event_waits() -> None:
    on = killed_in(landed=True)
    done = on.recover()
    agree(on)
    assert outcomes(on) == {"id-a": "converged"}
    assert done.report is not None
    assert (done.report.exit, done.report.undelivered_events) == (Exit.OK, 1)
    assert told_or_waiting(on) == {"id-a"}
    [found] = on.journal.of("recovery.outcome")
    assert found["decision"] == "converged"
    assert found["etag"] == on.tenant.agents[AgentId("id-a")].etag != found["ifMatch"]
    [ended] = on.journal.of("agent.outcome")
    assert ended["previousState"]["skills"][0]["level"] == 5
    assert ended["newState"]["skills"][0]["level"] == 3


def test_write_that_has_not_arrived_is_unknown_since_it_still_may() -> None:
    on = killed_in(landed=False)
    done = on.recover()
    assert outcomes(on) == {"id-a": "unknown"}
    assert done.report is not None
    assert done.report.exit is Exit.UNKNOWN
    assert on.clock.seconds == 1.0
    assert len(on.tenant.writes) == 1


def test_write_that_lands_late_meets_its_second_try() -> None:
    on = killed_in(landed=False)
    [old] = on.tenant.writes
    seen = on.tenant.agents[old.agent_id]
    assert on.journal.of("agent.intent")[0]["ifMatch"] == seen.etag

    def on_write(_write: Write, commit: Callable[[], Answer]) -> Answer:
        on.tenant._commit(old, seen)
        return commit()

    on.tenant.on_write = on_write
    report = on.resume()
    agree(on)
    assert outcomes(on) == {"id-a": "converged"}
    assert report.exit is Exit.OK
    assert len(on.tenant.events) == 1


def test_value_that_somebody_changed_meanwhile_is_not_overwritten() -> None:
    for go_on in (Stage.recover, Stage.resume):
        on = killed_in(landed=False)
        other = observed("a", {"voice": (9, 1)})
        on.tenant.put(other.id, other.work_mode, other.skills)
        go_on(on)
        assert outcomes(on) == {"id-a": "unknown"}
        assert len(on.tenant.writes) == 1
        assert on.tenant.agents[other.id].skills[0].level == 9


def test_value_that_somebody_put_back_is_not_overwritten() -> None:
    on = killed_in(landed=True)
    before = observed("a", {"voice": (5, 1)})
    on.tenant.put(before.id, before.work_mode, before.skills)
    on.resume()
    assert outcomes(on) == {"id-a": "unknown"}
    assert len(on.tenant.writes) == 1


def test_write_that_a_check_forbids_by_now_is_unknown_not_deferred() -> None:
    files = declarations(team(member("a", mode="training")))
    agent = observed("a", {"voice": (5, 1)})
    on = Stage(files, FakeTenant({agent.id: agent}))
    on.tenant.schedules[agent.id] = schedule(shift(-1, 2, "training"))

    def on_write(_write: Write, _commit: Callable[[], Answer]) -> Answer:
        raise Killed

    on.tenant.on_write = on_write
    with pytest.raises(Killed):
        on.apply(on.plan())
    on.tenant.schedules[agent.id] = schedule(shift(3, 2, "training"))
    report = on.resume()
    assert outcomes(on) == {"id-a": "unknown"}
    assert "not sent again" in report.agents[0].message
    assert len(on.tenant.writes) == 1


def test_open_write_is_unknown_where_a_signal_comes_before_its_turn() -> None:
    on = cut_at(3)
    on.stop = lambda: Exit.INTERRUPTED if on.journal.of("recovery.start") else None
    report = on.resume()
    assert outcomes(on) == {"id-a": "unknown", "id-b": "notAttempted", "id-c": "notAttempted"}
    assert report.exit is Exit.UNKNOWN


@pytest.mark.parametrize("go_on", [Stage.recover, Stage.resume])
def test_open_write_of_an_unreachable_tenant(go_on: Callable[[Stage], object]) -> None:
    """recover ends and can be tried again; a resumption has begun, and stops."""
    on = killed_in(landed=False)
    agents = on.tenant.agents

    class Lost(dict[AgentId, ObservedAgent]):
        def get(self, *_: object) -> ObservedAgent:
            raise UnavailableError("The tenant cannot be reached.")

    on.tenant.agents = Lost(agents)
    if go_on is Stage.recover:
        with pytest.raises(UnavailableError):
            go_on(on)
        assert on.journal.sealed is None
        on.tenant.agents = agents
        on.recover()
    else:
        go_on(on)
    assert outcomes(on) == {"id-a": "unknown"}


def test_taking_a_newer_tag_is_an_intent_of_its_own() -> None:
    on = stage(keys=("a",))
    agent = on.tenant.agents[AgentId("id-a")]
    fates = iter(["moved", "killed"])

    def on_write(_write: Write, commit: Callable[[], Answer]) -> Answer:
        if next(fates) == "killed":
            raise Killed
        on.tenant.put(agent.id, agent.work_mode, agent.skills)
        return commit()

    on.tenant.on_write = on_write
    with pytest.raises(Killed):
        on.apply(on.plan())
    first, second = on.journal.of("agent.intent")
    assert first["ifMatch"] != second["ifMatch"] == on.tenant.agents[agent.id].etag
    on.tenant.on_write = None
    on.resume()
    agree(on)
    assert outcomes(on) == {"id-a": "applied"}


# --- the table ------------------------------------------------------------------------------

SEEN = observed("a", {"voice": (5, 1)})
CHANGES = (Change("skills/voice/level", Op.CHANGE, 5, 3, None, SkillId("skill-1")),)
READINGS: dict[str, AgentReading] = {
    "desired": replace(observed("a", {"voice": (3, 1)}), etag=None),
    "unmoved": SEEN,
    "moved": replace(observed("a", {"voice": (9, 1)}), etag=None),
    "missing": MissingAgent(SEEN.id),
    "unread": UnreadAgent(SEEN.id, "http.deadline", "too slow"),
}
LOST, NOT_SENT = Answer(None, Failure.LOST), Answer(None, Failure.NOT_SENT)
OK, GATEWAY, FAULT, BUSY, STALE, BAD = (Answer(n) for n in (200, 504, 500, 429, 412, 422))
TABLE: list[tuple[tuple[Answer, ...], str, str]] = [
    ((), "unmoved", "unknown"),
    ((), "moved", "unknown"),
    ((), "missing", "unknown"),
    ((), "unread", "unknown"),
    ((OK,), "unmoved", "unknown"),
    ((OK,), "moved", "unknown"),
    ((LOST,), "unmoved", "unknown"),
    ((GATEWAY,), "unmoved", "unknown"),
    ((FAULT,), "unmoved", "unknown"),
    ((BUSY,), "unmoved", "unknown"),
    ((NOT_SENT,), "unmoved", "unknown"),
    ((Answer(202),), "unmoved", "unknown"),
    ((BAD,), "unmoved", "rejected"),
    ((BAD,), "moved", "rejected"),
    ((BAD,), "unread", "rejected"),
    ((FAULT, BAD), "unmoved", "rejected"),
    ((LOST, BAD), "unmoved", "unknown"),
    ((LOST, STALE), "unmoved", "unknown"),
    ((STALE,), "unmoved", "failed"),
    ((STALE,), "missing", "failed"),
    ((Answer(307),), "unmoved", "failed"),
    ((BUSY,) * 4, "unmoved", "failed"),
    ((BUSY, BUSY, BUSY, NOT_SENT), "moved", "failed"),
    ((GATEWAY, BUSY, BUSY, BUSY), "unmoved", "unknown"),
    ((Answer(428),), "unmoved", "failed"),
    ((Answer(429, retry_after=3600.0),), "unmoved", "failed"),
]


@pytest.mark.parametrize(("answers", "reading", "outcome"), TABLE)
def test_how_an_open_write_ended(answers: tuple[Answer, ...], reading: str, outcome: str) -> None:
    write = OpenWrite(SEEN, answers=answers)
    assert after_cut(write, CHANGES, READINGS[reading]).outcome.value == outcome
    assert after_cut(write, CHANGES, READINGS["desired"]).outcome.value == "converged"


def test_only_an_unmoved_write_that_nobody_promised_goes_again() -> None:
    for answers, reading, outcome in TABLE:
        write = OpenWrite(SEEN, answers=answers)
        settled = after_cut(write, CHANGES, READINGS[reading])
        wanted = (outcome, reading) == ("unknown", "unmoved") and Answer(202) not in answers
        assert may_go_again(write, READINGS[reading], settled) is wanted
    untagged = OpenWrite(replace(SEEN, etag=None))
    bare = replace(SEEN, etag=None)
    assert not may_go_again(untagged, bare, after_cut(untagged, CHANGES, bare))


def test_later_intent_remembers_what_may_still_land() -> None:
    state: dict[str, Any] = {"workModeId": None, "skills": []}
    at: dict[str, Any] = {"at": "2026-11-25T12:00:00Z", "agentId": "a"}
    intent = at | {"kind": "agent.intent", "before": state, "ifMatch": '"1"', "checks": []}
    attempt = at | {"kind": "agent.attempt", "failure": None, "latencyMs": 1, "headers": {}}
    attempt |= {"ifMatch": '"1"'}
    for status, late in ((412, False), (429, True), (504, True)):
        lines = [intent, attempt | {"status": status}, intent]
        write = cut_of(lines).open[AgentId("a")]
        assert (write.late, write.intents, write.answers) == (late, 2, ())


# --- refusals -------------------------------------------------------------------------------


def expired(on: Stage) -> None:
    on.clock.at += timedelta(hours=25)


def edited(on: Stage) -> None:
    on.declarations = declarations(team(*(member(key, {"voice": 4}) for key in KEYS)))


def elsewhere(on: Stage) -> None:
    on.tenant.identity = TenantIdentity("https://other.example")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [(expired, "plan.expired"), (edited, "plan.stale_config"), (elsewhere, "plan.tenant")],
)
def test_resumption_is_refused_as_any_plan_is_and_changes_nothing(
    spoil: Callable[[Stage], None], code: str
) -> None:
    on = cut_at(8)
    lines = list(on.journal.lines)
    spoil(on)
    with pytest.raises(CxplanError) as error:
        on.resume()
    assert error.value.problem.code == code
    assert (on.journal.lines, on.journal.sealed) == (lines, None)
    if spoil is not elsewhere:
        assert f"cxplan recover {on.journal.id}" in (error.value.problem.hint or "")
        on.recover()
        agree(on)


def test_recovery_is_refused_at_another_tenant() -> None:
    on = cut_at(8)
    elsewhere(on)
    with pytest.raises(CxplanError) as error:
        on.recover()
    assert error.value.problem.code == "plan.tenant"
    assert on.journal.of("recovery.start") == []


def test_run_that_never_began() -> None:
    on = cut_at(1)
    on.ledger.never_began = True
    assert on.recover().report is None
    with pytest.raises(InvalidError) as error:
        on.resume()
    assert error.value.problem.code == "run.neverBegan"


def test_resumption_waits_until_other_runs_are_settled() -> None:
    on = cut_at(8)
    on.ledger.others = ("another",)
    with pytest.raises(EvidenceError) as error:
        on.resume()
    assert "cxplan recover another" in (error.value.problem.hint or "")
    on.recover()
    agree(on)


def began(on: Stage) -> Exit | None:
    """A signal that comes as soon as there is a run."""
    return Exit.TERMINATED if on.ledger.run else None


def unsealed(on: Stage) -> None:
    on.journal.sealed = None


def test_run_that_had_ended_is_sealed_with_the_exit_that_it_had() -> None:
    for go_on in (Stage.recover, Stage.resume):
        on = stage()
        on.stop = partial(began, on)
        on.apply(on.plan())
        unsealed(on)
        lines = list(on.journal.lines)
        go_on(on)
        assert on.journal.lines == lines
        assert on.journal.sealed is not None
        assert (on.journal.sealed.exit, on.journal.sealed.recovered) == (Exit.TERMINATED, True)


@pytest.mark.parametrize(
    "spoil",
    [
        {"kind": "agent.outcome", "agentId": "id-a"},
        {"kind": "agent.intent", "agentId": 7},
        {"kind": "run.end", "exit": 99, "stopped": None},
        {"kind": "agent.intent", "agentId": "id-z", "ifMatch": None}
        | {"before": {"workModeId": None, "skills": []}},
    ],
)
def test_journal_of_somebody_else_is_refused(spoil: dict[str, object]) -> None:
    on = cut_at(2)
    on.journal.lines.append(spoil)
    tries: list[Callable[[Stage], object]] = [Stage.recover, Stage.resume]
    for go_on in tries:
        with pytest.raises(EvidenceError) as error:
            go_on(on)
        assert error.value.problem.code == "audit.record"
    assert on.journal.of("recovery.start") == []


def test_start_that_was_cut_off_is_written_when_it_is_gone_on_with() -> None:
    on = cut_at(1)
    on.resume()
    assert [line["kind"] for line in on.journal.lines][:2] == ["recovery.start", "run.start"]
    agree(on)


def test_who_takes_a_run_up_again_is_on_record() -> None:
    on = cut_at(8)
    on.recover()
    [line] = on.journal.of("recovery.start")
    assert line["actor"]["id"] == "somebody"
    assert line["how"] == "recover"
    assert line["clock"]["wall"] == "2026-11-25T12:00:00.000Z"
