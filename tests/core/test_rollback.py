"""A run taken back: each value that still is the run's to what stood before it, and no other."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest

from cxplan.core.diff import AgentState, Change, Op, SkillState, changed, diff, state_of
from cxplan.core.errors import EvidenceError, UnapprovedError
from cxplan.core.evidence import Head, RunStory
from cxplan.core.history import History, LastValue, TakenBack, confirmed, history_of, key_of
from cxplan.core.ids import OFF, AgentId
from cxplan.core.instant import utc_text
from cxplan.core.live import Assignment, ObservedAgent, TenantIdentity
from cxplan.core.model import DesiredAgent
from cxplan.core.pastrun import PastRun, past_run
from cxplan.core.record import Ending, outcome_fields
from cxplan.core.released import value_of
from cxplan.core.resolve import resolve
from cxplan.core.rollback import (
    BACK,
    Back,
    Why,
    back_of,
    declared_still,
    rolled_back,
)
from cxplan.core.steps import Outcome
from tests.core.ahead import ABSENT, random_files
from tests.core.make import MODES, NOW, declarations, member, observed, team, terms

RUN, LATER = "run-1", "run-2"
MODES_BY_ID = {mode.id: mode for mode in MODES.values()}
ORIGIN = "https://api.example"


def wanted(skills: Mapping[str, object] | None = None, mode: str | None = None) -> DesiredAgent:
    """What the files want of the one agent."""
    (agent,) = resolve(declarations(team(member("a", skills, mode=mode)))).agents
    return agent


def record(
    changes: tuple[Change, ...], before: AgentState, outcome: Outcome = Outcome.APPLIED
) -> dict[str, Any]:
    ending = Ending(AgentId("id-a"), outcome, "", changes, before)
    fields = outcome_fields(ending, audit_id="", at=NOW, locking="etag")
    return {"kind": "agent.outcome", "at": utc_text(NOW)} | fields


def story(*records: Mapping[str, Any], run: str = RUN) -> RunStory:
    head = Head("ledger", 1, "0" * 64, run, f"000001-{run}", "", "", "plan", 0, {})
    return RunStory(head, "user somebody", "acme-demo", records, ORIGIN)


def ran(desired: DesiredAgent, before: ObservedAgent) -> tuple[PastRun, ObservedAgent]:
    """A run that made the agent as it is wanted, and the agent after it."""
    changes = diff(desired, before, terms())
    run = past_run(story(record(changes, state_of(before))))
    return run, as_observed(changed(state_of(before), changes))


def as_observed(state: AgentState) -> ObservedAgent:
    skills = tuple(Assignment(s.skill_id, s.level, s.concurrent) for s in state.skills)
    return ObservedAgent(AgentId("id-a"), None, state.work_mode, skills)


def back(run: PastRun, live: ObservedAgent, last: Mapping[Any, LastValue] | None = None) -> Back:
    return back_of(run, wanted(), live, terms(), MODES_BY_ID, last or {})


def told(changes: tuple[Change, ...]) -> list[tuple[str, Op, object, object]]:
    return [(change.path, change.op, change.before, change.after) for change in changes]


def kept(found: Back) -> dict[str, tuple[Why, object, object]]:
    return {note.path: (note.why, note.left, note.now) for note in found.kept}


VOICE, CHAT = "skills/voice", "skills/chat"


@pytest.mark.parametrize(
    ("want", "before", "way"),
    [
        ({"voice": 3}, {"voice": (5, 1)}, [(f"{VOICE}/level", Op.CHANGE, 3, 5)]),
        (
            {"chat": (3, 4)},
            {"chat": (5, 2)},
            [(f"{CHAT}/level", Op.CHANGE, 3, 5), (f"{CHAT}/concurrent", Op.CHANGE, 4, 2)],
        ),
        ({"chat": (None, 4)}, {"chat": (5, 2)}, [(f"{CHAT}/concurrent", Op.CHANGE, 4, 2)]),
        ({"chat": 3}, {}, [(f"{CHAT}/level", Op.REMOVE, 3, 0)]),
        ({"chat": (3, 2)}, {"chat": (0, 0)}, [(f"{CHAT}/level", Op.REMOVE, 3, 0)]),
        (
            {"chat": ABSENT},
            {"chat": (5, 2)},
            [(f"{CHAT}/level", Op.ADD, 0, 5), (f"{CHAT}/concurrent", Op.ADD, None, 2)],
        ),
        (
            {"chat": ABSENT},
            {"chat": (5, None)},
            [(f"{CHAT}/level", Op.ADD, 0, 5), (f"{CHAT}/concurrent", Op.ADD, None, 1)],
        ),
        ({"voice": 3}, {"voice": (3, 1)}, []),
    ],
)
def test_each_value_goes_back_to_what_stood_there(
    want: dict[str, object], before: dict[str, Any], way: list[Any]
) -> None:
    run, after = ran(wanted(want), observed(skills=before))
    found = back(run, after)
    assert told(found.changes) == way
    assert found.kept == ()


def test_a_work_mode_goes_back_and_one_that_the_catalogue_does_not_know_too() -> None:
    for mode in ("mode-available", "m-unheard-of"):
        run, after = ran(wanted(mode="training"), observed(mode=mode))
        found = back(run, after)
        assert told(found.changes) == [("workMode", Op.CHANGE, "mode-training", mode)]


def test_the_cause_is_the_run_and_a_default_stays_a_default() -> None:
    run, after = ran(wanted({"chat": ABSENT}), observed(skills={"chat": (5, None)}))
    level, concurrent = back(run, after).changes
    assert level.because is not None
    assert (level.because.layer, level.because.file) == (BACK, "000001-run-1/records.jsonl")
    assert concurrent.because is None


@pytest.mark.parametrize(
    ("want", "before", "now", "notes"),
    [
        (
            {"chat": (3, 4)},
            {"chat": (5, 2)},
            {"chat": (7, 4)},
            {f"{CHAT}/level": (Why.MOVED, 3, 7)},
        ),
        (
            {"chat": (3, 4)},
            {"chat": (5, 2)},
            {"chat": (5, 3)},
            {f"{CHAT}/level": (Why.BACK, 3, 5), f"{CHAT}/concurrent": (Why.MOVED, 4, 3)},
        ),
        # a skill that came new is one thing: somebody uses it by now
        ({"chat": 3}, {}, {"chat": (3, 2)}, {f"{CHAT}/concurrent": (Why.MOVED, 1, 2)}),
        ({"chat": 3}, {}, {"chat": (7, 1)}, {f"{CHAT}/level": (Why.MOVED, 3, 7)}),
        (
            {"chat": 3},
            {},
            {"chat": (0, 0)},
            {f"{CHAT}/level": (Why.BACK, 3, 0), f"{CHAT}/concurrent": (Why.BACK, 1, None)},
        ),
        (
            {"chat": ABSENT},
            {"chat": (5, 2)},
            {"chat": (9, 2)},
            {f"{CHAT}/level": (Why.MOVED, 0, 9)},
        ),
        # nothing can be written in place of what the tenant did not state
        (
            {"chat": 3},
            {"chat": (None, 2)},
            {"chat": (3, 2)},
            {f"{CHAT}/level": (Why.UNSTATED, 3, 3)},
        ),
        (
            {"chat": (None, 4)},
            {"chat": (5, None)},
            {"chat": (5, 4)},
            {f"{CHAT}/concurrent": (Why.UNSTATED, 4, 4)},
        ),
    ],
)
def test_what_is_not_the_runs_any_more_stays_and_is_told(
    want: dict[str, object],
    before: dict[str, Any],
    now: dict[str, Any],
    notes: dict[str, tuple[Why, object, object]],
) -> None:
    run, _ = ran(wanted(want), observed(skills=before))
    found = back(run, observed(skills=now))
    assert kept(found) == notes
    assert not {change.path for change in found.changes} & notes.keys()
    added = [path for path in notes if before == {} and path]
    assert not (added and found.changes)


def test_a_value_of_a_later_run_is_that_runs() -> None:
    run, after = ran(wanted({"voice": 3, "chat": 3}), observed(skills={"voice": (5, 1)}))
    key = key_of(after.skills[0].skill_id, "level")
    for value, confirmed_only, why in [(3, False, Why.LATER), (3, True, None)]:
        last = {key: LastValue(value, LATER, NOW, f"{VOICE}/level", confirmed=confirmed_only)}
        found = back(run, after, last)
        notes = {note.path: (note.why, note.run) for note in found.kept}
        assert notes == ({f"{VOICE}/level": (why, LATER)} if why else {})


def test_what_the_run_found_as_it_wanted_it_is_not_its_own() -> None:
    """Planned on one state, written on another: somebody had changed the level already."""
    changes = diff(wanted({"chat": (3, 4)}), observed(skills={"chat": (5, 2)}), terms())
    found_there = observed(skills={"chat": (3, 2)})
    run = past_run(story(record(changes, state_of(found_there))))
    for level in (3, 7):
        found = back(run, observed(skills={"chat": (level, 4)}))
        assert told(found.changes) == [(f"{CHAT}/concurrent", Op.CHANGE, 4, 2)]
        assert found.kept == ()


@pytest.mark.parametrize("outcome", sorted(Outcome))
def test_only_what_was_written_is_taken_back(outcome: Outcome) -> None:
    before = observed(skills={"voice": (5, 1)})
    changes = diff(wanted({"voice": 3}), before, terms())
    run = past_run(story(record(changes, state_of(before), outcome)))
    (way, notes) = ([], {})
    if run.agents:
        found = back(run, observed(skills={"voice": (3, 1)}))
        way, notes = told(found.changes), kept(found)
    written = outcome in {Outcome.APPLIED, Outcome.CONVERGED}
    assert way == ([(f"{VOICE}/level", Op.CHANGE, 3, 5)] if written else [])
    unsure = {f"{VOICE}/level": (Why.UNKNOWN, 3, 3)}
    assert notes == (unsure if outcome is Outcome.UNKNOWN else {})


def test_records_that_lack_what_each_must_have_are_refused() -> None:
    good = record(diff(wanted({"voice": 3}), observed(), terms()), state_of(observed()))
    for name in ("agentId", "changes", "previousState"):
        with pytest.raises(EvidenceError):
            past_run(story({key: value for key, value in good.items() if key != name}))
    (change, *_) = good["changes"]
    with pytest.raises(EvidenceError):
        past_run(story(good | {"changes": [change | {"after": "3"}]}))


def test_a_run_of_another_address_is_refused() -> None:
    run = past_run(story())
    run.refuse_other(TenantIdentity(ORIGIN))
    with pytest.raises(UnapprovedError):
        run.refuse_other(TenantIdentity("https://api.other"))


# --- there and back, for random files and tenants ---------------------------------------------


def random_live(draw: random.Random) -> ObservedAgent:
    skills = {
        name: (draw.choice([0, 3, 5, 7]), draw.choice([1, 2, 4]))
        for name in ("voice", "chat", "mail")
        if draw.random() < 0.7
    }
    held = {name: (level, 0 if level == OFF else c) for name, (level, c) in skills.items()}
    return observed(skills=held, mode=draw.choice(["mode-available", "mode-off"]))


def plain(state: AgentState) -> dict[str, object]:
    """What the state means: skills that are off are not there."""
    skills = {str(s.skill_id): (s.level, s.concurrent) for s in state.skills if s.level != OFF}
    return {"mode": state.work_mode, **skills}


@pytest.mark.parametrize("seed", range(120))
def test_there_and_back_leaves_everything_as_it_was(seed: int) -> None:
    draw = random.Random(seed)
    resolved = resolve(random_files(draw))
    before = random_live(draw)
    run, after = ran(resolved.agent_at(resolved.agents[0], NOW), before)
    found = back(run, after)
    assert found.kept == ()
    assert plain(changed(state_of(after), found.changes)) == plain(state_of(before))


@pytest.mark.parametrize("seed", range(120))
def test_what_somebody_changed_in_between_is_never_written(seed: int) -> None:
    draw = random.Random(seed)
    resolved = resolve(random_files(draw))
    run, after = ran(resolved.agent_at(resolved.agents[0], NOW), random_live(draw))
    moved = _moved(draw, state_of(after))
    found = back(run, as_observed(moved))
    end = changed(moved, found.changes)
    for change in (c for c in found.changes if c.before is not None):
        key = key_of(change.skill_id, change.part)
        assert value_of(moved, key) == value_of(state_of(after), key)
    for skill in moved.skills:
        if skill not in state_of(after).skills and skill.level not in {OFF, None}:
            (left,) = [s for s in end.skills if s.skill_id == skill.skill_id]
            assert left.level != OFF, "a skill that somebody touched is not taken away"


def _moved(draw: random.Random, state: AgentState) -> AgentState:
    """Somebody else changes a level or a concurrency."""
    skills = [
        SkillState(
            s.skill_id, *draw.choice([(s.level, s.concurrent), (11, s.concurrent), (s.level, 9)])
        )
        if s.level != OFF
        else s
        for s in state.skills
    ]
    return AgentState(state.work_mode, tuple(skills))


# --- what declares it still, and what a plan calls rolled back --------------------------------


def test_what_the_files_want_again_is_told_with_its_line() -> None:
    files = wanted({"voice": 3, "chat": 3})
    before = observed(skills={"voice": (5, 1)})
    run, after = ran(files, before)
    found = back(run, after)
    declared = list(declared_still(files, after, found.changes, terms()))
    assert [(each.path, each.value, each.because.line) for each in declared] == [
        (f"{VOICE}/level", 3, 7),
        (f"{CHAT}/level", 3, 7),
    ]
    assert list(declared_still(wanted({"voice": 5}), after, found.changes, terms())) == []
    assert list(declared_still(wanted({"mail": 5}), after, found.changes, terms())) == []


def history_after(
    desired: DesiredAgent, before: ObservedAgent
) -> tuple[Mapping[Any, LastValue], ObservedAgent]:
    """A run and its rollback: what the ledger remembers, and the agent after both."""
    run, after = ran(desired, before)
    way = back(run, after).changes
    lines = [
        (record(diff(desired, before, terms()), state_of(before)), RUN, None),
        (record(way, state_of(after)), LATER, RUN),
    ]
    found = [each for line in lines if (each := confirmed(*line)) is not None]
    history: History = history_of(found)
    return history[AgentId("id-a")], as_observed(changed(state_of(after), way))


@pytest.mark.parametrize(
    ("want", "before"),
    [
        ({"voice": 3}, {"voice": (5, 1)}),
        ({"chat": (3, 4)}, {"chat": (5, 2)}),
        ({"chat": 3}, {}),
        ({"chat": ABSENT}, {"chat": (5, 2)}),
    ],
)
def test_what_a_rollback_took_away_is_marked_where_the_files_want_it_again(
    want: dict[str, object], before: dict[str, Any]
) -> None:
    last, live = history_after(wanted(want), observed(skills=before))
    found = rolled_back(diff(wanted(want), live, terms()), last)
    assert found
    assert {change.rolled_back for change in found} == {LATER}
    assert {value.taken_back and value.taken_back.run_id for value in last.values()} == {RUN}
    assert not any(value.declared for value in last.values())


@pytest.mark.parametrize(
    ("want", "live"),
    [
        ({"voice": 1}, {"voice": (5, 1)}),  # another value than the one that was taken away
        ({"voice": 3}, {"voice": (9, 1)}),  # not what the rollback left
        ({"chat": 3}, {"voice": (5, 1)}),  # another skill
    ],
)
def test_anything_else_is_not_called_rolled_back(
    want: dict[str, object], live: dict[str, Any]
) -> None:
    last, _ = history_after(wanted({"voice": 3}), observed(skills={"voice": (5, 1)}))
    found = rolled_back(diff(wanted(want), observed(skills=live), terms()), last)
    assert found
    assert {change.rolled_back for change in found} == {None}


def test_what_no_rollback_wrote_is_not_called_rolled_back() -> None:
    last, live = history_after(wanted({"voice": 3}), observed(skills={"voice": (5, 1)}))
    again = {
        key: LastValue(value.value, LATER, NOW, value.path, taken_back=None)
        for key, value in last.items()
    }
    changes = diff(wanted({"voice": 3}), live, terms())
    assert [change.rolled_back for change in rolled_back(changes, again)] == [None]
    assert rolled_back(changes, {}) == changes
    assert TakenBack(RUN, 3) in {value.taken_back for value in last.values()}
