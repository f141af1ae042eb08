"""Until when a plan holds: at every instant before, what it writes is what would be written."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from cxplan.core.diff import Change, diff
from cxplan.core.history import LastValue, ValueKey
from cxplan.core.horizon import Ahead, Horizon
from cxplan.core.ids import SkillId, WorkModeId
from cxplan.core.live import ObservedAgent, ScheduleReading, UnreadableSchedule
from cxplan.core.model import Declarations, FollowShift, Override
from cxplan.core.resolve import Resolved, resolve
from tests.core.ahead import ABSENT, HOUR, override, random_files, with_overrides
from tests.core.make import NOW, declarations, member, observed, schedule, shift, team, terms


def ahead_of(files: Declarations) -> Ahead:
    return Ahead(resolve(files), NOW, terms())


def needed(ahead: Ahead, live: ObservedAgent, at: timedelta = timedelta(0)) -> tuple[Change, ...]:
    """What the files want changed at an instant; a mode that is to follow the shift not."""
    (agent,) = ahead.resolved.agents
    return diff(ahead.resolved.agent_at(agent, NOW + at), live, terms())


def horizon(ahead: Ahead, live: ObservedAgent, *changes: Change) -> Horizon:
    (agent,) = ahead.resolved.agents
    return ahead.horizon(agent, live, changes or needed(ahead, live))


LIVE = observed(skills={"voice": (5, 1, 1), "chat": (5, 2, 4)})


def files(*overrides: Override, **skills: object) -> Declarations:
    return with_overrides(declarations(team(member("a", skills))), *overrides)


@pytest.mark.parametrize(
    ("overrides", "written", "any_"),
    [
        ([], None, None),
        ([override("o", 1, 2, {"voice": 1})], 1, 1),
        ([override("o", -1, 2, {"voice": 1})], 2, 2),
        ([override("o", 1, 2, {"voice": 3})], None, None),  # says the same
        ([override("o", 1, 2, {"chat": 3})], None, 1),  # another value
        ([override("o", 1, 2, {"chat": 5})], None, None),  # what stands there already
        ([override("o", 1, 2, {"voice": (3, 1)})], None, None),
        ([override("o", 1, 2, {"voice": ABSENT})], 1, 1),
        ([override("o", 1, 2, mode="training")], None, 1),
        ([override("o", -2, -1, {"voice": 1})], None, None),
        ([override("o", -2, 0, {"voice": 1})], None, None),  # half-open: over at this instant
        ([override("o", 1, 2, {"chat": 3}), override("p", 3, 4, {"voice": 1})], 3, 1),
        ([override("o", -1, 1, {"voice": 3}), override("p", 1, 2, {"voice": 3})], None, None),
        ([override("o", 5, 6, {"voice": 1}, agents=["b"])], None, None),
    ],
)
def test_the_first_boundary_of_a_value_that_is_written(
    overrides: list[Override], written: float | None, any_: float | None
) -> None:
    both = team(member("a", {"voice": 3}), member("b"))
    ahead = ahead_of(with_overrides(declarations(both), *overrides))
    agent = ahead.resolved.agents[0]
    found = ahead.horizon(agent, LIVE, diff(ahead.resolved.agent_at(agent, NOW), LIVE, terms()))
    assert found == Horizon(
        None if written is None else NOW + written * HOUR,
        None if any_ is None else NOW + any_ * HOUR,
    )


def test_only_changes_that_are_asked_about_count() -> None:
    ahead = ahead_of(files(override("o", 1, 2, {"voice": 1}), voice=3, chat=3))
    chat = [change for change in needed(ahead, LIVE) if change.path == "skills/chat/level"]
    assert horizon(ahead, LIVE, *chat) == Horizon(None, NOW + HOUR)


def test_a_mode_that_follows_the_shift_holds_until_an_override_names_one() -> None:
    follows = declarations(team(member("a", mode="scheduled")))
    mode = Change("workMode", "change", "x", "y", None, scheduled=True)  # type: ignore[arg-type]
    ahead = ahead_of(with_overrides(follows, override("o", 1, 2, {"chat": 5})))
    assert horizon(ahead, LIVE, mode).written is None
    ahead = ahead_of(with_overrides(follows, override("o", 1, 2, mode="training")))
    assert horizon(ahead, LIVE, mode).written == NOW + HOUR


def _random_live(draw: random.Random) -> ObservedAgent:
    skills = {
        name: (draw.choice([0, 3, 5]), draw.choice([1, 2]), 4)
        for name in ("voice", "chat", "mail")
        if draw.random() < 0.7
    }
    return observed(skills=skills, mode=draw.choice(["mode-available", "mode-training"]))


@pytest.mark.parametrize("seed", range(15))
def test_before_it_the_same_is_written_and_from_then_on_not(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(25):
        _holds(ahead_of(random_files(draw)), _random_live(draw))


def _holds(ahead: Ahead, live: ObservedAgent) -> None:
    writes, found = needed(ahead, live), horizon(ahead, live)
    values = {(change.path, change.after) for change in writes}

    def at(after: timedelta) -> set[tuple[str, object]]:
        (agent,) = ahead.resolved.at(NOW + after)
        follows = isinstance(agent.work_mode, FollowShift)
        shift: set[tuple[str, object]] = {("workMode", "scheduled")} if follows else set()
        return shift | {(c.path, c.after) for c in needed(ahead, live, after)}

    for minutes in range(0, 13 * 60, 20):
        after = timedelta(minutes=minutes)
        if found.written is None or NOW + after < found.written:
            assert values <= at(after)
        if found.any is None or NOW + after < found.any:
            assert at(after) == at(timedelta(0))
    if found.written is not None:
        assert not values <= at(found.written - NOW)
    if found.any is not None:
        assert at(found.any - NOW) != at(timedelta(0))


# --- what an override left --------------------------------------------------------------------


UNREADABLE = UnreadableSchedule("503")


def overdue(
    resolved: Resolved,
    live: ObservedAgent,
    last: Mapping[ValueKey, LastValue] | None = None,
    shifts: ScheduleReading = UNREADABLE,
) -> dict[str, str | None]:
    ahead = Ahead(resolved, NOW, terms())
    (agent,) = resolved.agents
    found = ahead.overdue(agent, needed(ahead, live), last or {}, lambda: shifts)
    return {change.path: change.overdue for change in found}


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (override("o", -2, -1, {"voice": 5}), "o"),
        (override("o", -2, 0, {"voice": 5}), "o"),
        (override("o", -2, 1, {"chat": 1}), None),  # runs, and is about another value
        (override("o", -2, -1, {"voice": 4}), None),  # somebody else wrote what stands there
        (override("o", 1, 2, {"voice": 5}), None),
    ],
)
def test_a_change_that_takes_back_what_an_override_left_names_it(
    made: Override, name: str | None
) -> None:
    assert overdue(resolve(files(made, voice=3)), LIVE)["skills/voice/level"] == name


VOICE = ValueKey(SkillId("skill-1"), "level")
MODE = ValueKey(None, "workMode")
OURS, TEAMS = "overrides/o.yaml", "teams/Team.yaml"


def written(value: int | str, hours: float, file: str | None) -> LastValue:
    """What a run wrote so many hours from now, for a line of that file."""
    return LastValue(value, "run", NOW + hours * HOUR, "as it was named then", file=file)


@pytest.mark.parametrize(
    ("last", "name"),
    [
        (written(5, -0.5, TEAMS), None),
        (written(5, -1, TEAMS), None),
        (written(4, -0.5, TEAMS), None),  # and somebody else wrote what stands there
        (written(5, -0.5, None), None),
        (written(5, -1.5, TEAMS), "o"),
        (written(5, -1.5, OURS), "o"),
        (written(5, -0.5, OURS), "o"),  # found late, or the end was moved back
    ],
)
def test_what_a_run_wrote_for_another_line_since_the_end_is_not_the_overrides(
    last: LastValue, name: str | None
) -> None:
    made = override("o", -2, -1, {"voice": 5})
    resolved = resolve(files(made, voice=3))
    assert overdue(resolved, LIVE, {VOICE: last})["skills/voice/level"] == name
    left = Ahead(resolved, NOW, terms()).left(made, {VOICE: last})
    assert left == ({(VOICE, 5)} if name else set())


@pytest.mark.parametrize(
    ("shifts", "last", "name"),
    [
        (schedule(shift(-3, 6)), None, "o"),
        (schedule(shift(-9, 7.5)), None, "o"),
        (schedule(shift(-9, 7)), None, None),  # over as the override began
        (schedule(shift(-1, 4)), None, None),  # began as the override ended
        (schedule(shift(-3, 6, "blended")), None, None),
        (schedule(), None, None),
        (UNREADABLE, None, None),
        (UNREADABLE, written("mode-available", -1.5, OURS), "o"),
        (UNREADABLE, written("mode-blended", -1.5, OURS), None),
        (schedule(shift(-3, 6)), written("mode-available", -1.5, TEAMS), "o"),
        (schedule(shift(-3, 6)), written("mode-available", -0.5, TEAMS), None),
    ],
)
def test_an_override_that_followed_the_shift_left_the_mode_of_one_of_its_time(
    shifts: ScheduleReading, last: LastValue | None, name: str | None
) -> None:
    wanted = declarations(team(member("a", mode="training")))
    resolved = resolve(with_overrides(wanted, override("o", -2, -1, mode="scheduled")))
    found = overdue(resolved, LIVE, {MODE: last} if last else {}, shifts)
    assert found == {"workMode": name}


def test_of_two_that_are_over_the_later_one_is_named() -> None:
    both = (override("o", -9, -8, {"voice": 5}), override("p", -3, -2, {"voice": 5}))
    assert overdue(resolve(files(*both, voice=3)), LIVE)["skills/voice/level"] == "p"


def test_concurrency_off_and_mode_are_told_each_by_itself() -> None:
    over = override("o", -2, -1, {"chat": (5, 2), "voice": ABSENT}, mode="training")
    live = replace(
        observed(skills={"voice": (0, 0, 1), "chat": (5, 2, 4)}),
        work_mode=WorkModeId("mode-training"),
    )
    wanted = member("a", {"chat": (5, 3), "voice": 3}, mode="available")
    found = overdue(resolve(with_overrides(declarations(team(wanted)), over)), live)
    assert found == {
        "workMode": "o",
        "skills/voice/level": "o",
        "skills/voice/concurrent": None,
        "skills/chat/concurrent": "o",
    }


def test_what_an_override_sets() -> None:
    over = override("o", -2, -1, {"chat": (None, 2), "voice": ABSENT, "mail": 3}, mode="training")
    ahead = ahead_of(files(over))
    voice, chat, mail = (SkillId(f"skill-{n}") for n in (1, 2, 3))
    assert ahead.settings(over) == {
        (ValueKey(None, "workMode"), "mode-training"),
        (ValueKey(voice, "level"), 0),
        (ValueKey(chat, "concurrent"), 2),
        (ValueKey(mail, "level"), 3),
    }
