"""What stands in a plan beside its changes: words, order, layout, and nothing hostile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cxplan.core.diff import Because, Change, Direction, Op, state_of
from cxplan.core.findings import Finding, GuardFinding, GuardVerdict, Verdict
from cxplan.core.ids import AgentId, AgentKey, ETag, SkillId, WorkModeId
from cxplan.core.plan import (
    FilesRef,
    Plan,
    PlannedAgent,
    Released,
    RuleChange,
    Status,
    TenantRef,
    Vocabulary,
    first_boundary,
)
from cxplan.core.scope import Atom, Scope
from cxplan.core.strictness import Allowance
from cxplan.core.timeline import Event, Turn
from cxplan.views.paint import Paint
from cxplan.views.plan_notes import (
    SHOWN,
    guard_lines,
    released_lines,
    rule_lines,
    scope_line,
    time_line,
    usable_lines,
    warning_lines,
)
from cxplan.views.plan_text import plan_text
from cxplan.views.timeline_text import timeline_document, timeline_text
from cxplan.views.wrapping import wrap
from tests.core.make import LEVELS, NOW, observed

PLAIN, COLOUR = Paint(), Paint(enabled=True)
HOSTILE = "\u202evoi\x1b[2J\n::error::x"
LATER = NOW + timedelta(hours=2)


def plan(**values: Any) -> Plan:
    found: dict[str, Any] = {
        "plan_id": "",
        "digest": "",
        "semantic_digest": "",
        "tool_version": "1",
        "tenant": TenantRef("acme", "availability-v2", "https://api.example", None),
        "created_at": NOW,
        "evaluated_at": NOW,
        "expires_at": LATER,
        "source": FilesRef(None, ""),
        "managed": 9,
        "agents": (),
        "guards": (),
        "vocabulary": Vocabulary(LEVELS, {WorkModeId("mode-off"): "off"}),
        "live_as_of": NOW,
    }
    return Plan(**(found | values))


LEVEL = Change(
    "skills/voice/level",
    Op.CHANGE,
    5,
    3,
    Because("t.yaml", 4, "team"),
    SkillId("skill-1"),
    Direction.BETTER,
)
ROW = "skills/voice/level  standard (5) → senior (3)  better  t.yaml:4"
FINDING = Finding("shift.modeConflict", Verdict.WARN, "the shift plans training")


def agent(key: str = "a", **values: Any) -> PlannedAgent:
    state = state_of(observed(skills={"voice": (5, 1, 1)}))
    found: dict[str, Any] = {
        "status": Status.READY,
        "etag": ETag('"1"'),
        "before": state,
        "after": state,
        "changes": (LEVEL,),
        "checks": (),
        "phase": 1,
    }
    return PlannedAgent(AgentId(f"id-{key}"), AgentKey(key), "East", **(found | values))


def harmless(text: str) -> bool:
    """Nothing that a terminal, a log or a reader could be fooled by."""
    lines = text.splitlines()
    return all(line.isprintable() and not line.startswith("::") for line in lines)


# --- changes of rules -------------------------------------------------------------------------


def test_rules_come_first_and_say_which_are_looser() -> None:
    rules = (
        RuleChange("guards/maxAgentsChanged/percent", "30", "90", looser=True),
        RuleChange("guards/totalConcurrent", "off", "4", looser=False),
        RuleChange("a.okafor/protected", "protected", "not protected", looser=True),
    )
    made = plan(rule_changes=rules, agents=(agent(),), scope=Scope(this_change=True))
    assert plan_text(made, PLAIN).splitlines()[:9] == [
        "This change alters what protects the tenant:",
        "",
        "  ~ guards/maxAgentsChanged/percent  looser  30 → 90",
        "  ~ guards/totalConcurrent                   off → 4",
        "  ~ a.okafor/protected               looser  protected → not protected",
        "    Where it is looser, this plan goes by the base.",
        "",
        "Partial plan: only agents that this change is about. "
        "What lies outside is neither shown nor written.",
        "",
    ]
    assert (
        plan_text(made, PLAIN, summary=True).splitlines()[:6]
        == plan_text(made, PLAIN).splitlines()[:6]
    )


def test_where_nothing_is_looser_nothing_is_said_of_it() -> None:
    lines = list(rule_lines(plan(rule_changes=(RuleChange("x", "1", "2", looser=False),)), PLAIN))
    assert lines[2:] == ["  ~ x  1 → 2", ""]
    assert list(rule_lines(plan(), PLAIN)) == []


def test_a_rule_from_a_file_is_encoded() -> None:
    rules = (RuleChange(f"{HOSTILE}/protected", HOSTILE, HOSTILE, looser=True),)
    assert harmless("\n".join(rule_lines(plan(rule_changes=rules), PLAIN)))


# --- scope ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        (Scope(), None),
        (Scope(only=((Atom("team", "East"),),)), "only team:East"),
        (
            Scope(only=((Atom("team", "East"), Atom("agent", "a")), (Atom("skill", "voice"),))),
            "only team:East or agent:a; only skill:voice",
        ),
        (
            Scope(exclude=((Atom("label", "site=x"),),), this_change=True),
            "without label:site=x; only agents that this change is about",
        ),
        (
            Scope(only=(tuple(Atom("agent", str(n)) for n in range(SHOWN + 3)),)),
            "only " + " or ".join(f"agent:{n}" for n in range(SHOWN)) + " or 3 more",
        ),
    ],
)
def test_a_part_says_of_what(scope: Scope, said: str | None) -> None:
    line = scope_line(plan(scope=scope))
    if said is None:
        assert line is None
    else:
        assert line == f"Partial plan: {said}. What lies outside is neither shown nor written."


# --- released ---------------------------------------------------------------------------------


def left(path: str, value: Any, key: str | None = "a", override: str | None = None) -> Released:
    """A value that stands; without ``key`` the files do not name its agent any more."""
    team = "East" if key else None
    return Released(
        AgentId("id-a"), AgentKey(key) if key else None, team, path, value, "run", override
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (left("skills/voice/level", 5), "a/skills/voice/level  released: stays at standard (5)"),
        (left("skills/voice/level", 0), "a/skills/voice/level  released: stays at disabled"),
        (left("skills/voice/concurrent", 2), "a/skills/voice/concurrent  released: stays at 2"),
        (left("workMode", "mode-off"), "a/workMode  released: stays at off"),
        (left("workMode", "mode-new"), "a/workMode  released: stays at mode-new"),
        (
            left("skills/voice/level", 5, override="CHG-1"),
            "a/skills/voice/level  released: stays at standard (5), left by override CHG-1, which "
            "is over; write absent to take it away",
        ),
        (
            left("workMode", "mode-off", override="CHG-1"),
            "a/workMode  released: stays at off, left by override CHG-1, which is over",
        ),
        (
            left("skills/voice/level", 7, key=None),
            "id-a/skills/voice/level  released: the files do not name this agent any more, and it "
            "stays as it is (last written: level 7)",
        ),
    ],
)
def test_what_is_released_says_why_and_that_it_stays(value: Released, said: str) -> None:
    assert list(released_lines(plan(released=(value,)), PLAIN)) == [f"  · {said}", ""]


@pytest.mark.parametrize(
    ("number", "said"),
    [(1, "1 value, which stays as it is"), (2, "2 values, which stay as they are")],
)
def test_what_is_released_is_counted(number: int, said: str) -> None:
    made = plan(released=(left("workMode", "mode-off"),) * number)
    assert f"Released: {said}.\n" in plan_text(made, PLAIN)
    assert f"Released: {said}.\n" in plan_text(made, PLAIN, summary=True)


def test_many_are_counted_and_not_shown() -> None:
    many = (left("workMode", "mode-off"),) * (SHOWN + 1)
    lines = list(released_lines(plan(released=many), PLAIN))
    assert lines[-2:] == ["  · … and 1 released value more", ""]
    assert len(lines) == SHOWN + 2


def test_names_of_what_is_released_are_encoded() -> None:
    value = left(f"skills/{HOSTILE}/level", 5, key=HOSTILE, override=HOSTILE)
    assert harmless("\n".join(released_lines(plan(released=(value,)), PLAIN)))


# --- guards -----------------------------------------------------------------------------------


def guard(verdict: GuardVerdict, name: str = "maxAgentsChanged", **values: Any) -> GuardFinding:
    limit = None if verdict is GuardVerdict.OFF else 2
    return GuardFinding(name, verdict, 1234, limit, (), **values)


@pytest.mark.parametrize(
    ("guards", "allowed", "said"),
    [
        ((guard(GuardVerdict.PASS),), (), []),
        ((guard(GuardVerdict.OFF),), (), ["Guard maxAgentsChanged is off (1,234 counted)."]),
        (
            (guard(GuardVerdict.DENY, examples=("a: 9", "b: 8")),),
            (),
            [
                "Guard maxAgentsChanged denies: 1,234, the limit is 2 (a: 9; b: 8). "
                "Nothing of this plan will be written."
            ],
        ),
        (
            (guard(GuardVerdict.WARN),),
            (Allowance("maxAgentsChanged", "new site"),),
            ["Guard maxAgentsChanged is passed: 1,234, the limit is 2. Reason: new site."],
        ),
        (
            (guard(GuardVerdict.PASS),),
            (Allowance("maxAgentsChanged", "new site"), Allowance("shifts", "agreed")),
            [
                "Guard maxAgentsChanged may be passed. Reason: new site.",
                "Guard shifts may be passed. Reason: agreed.",
            ],
        ),
        (
            (guard(GuardVerdict.WARN, "minCoverage", subject="voice"),),
            (),
            ["Guard minCoverage warns for voice: 1,234, at least 2."],
        ),
    ],
)
def test_what_guards_say(
    guards: tuple[GuardFinding, ...], allowed: tuple[Allowance, ...], said: list[str]
) -> None:
    assert list(guard_lines(plan(guards=guards, allowed=allowed), PLAIN)) == said


def test_reasons_and_examples_are_encoded() -> None:
    found = guard(GuardVerdict.WARN, subject=HOSTILE, examples=(HOSTILE,))
    allowed = (Allowance("maxAgentsChanged", HOSTILE), Allowance("shifts", HOSTILE))
    assert harmless("\n".join(guard_lines(plan(guards=(found,), allowed=allowed), PLAIN)))


# --- warnings, use, time ----------------------------------------------------------------------


def test_warnings_are_shown_up_to_a_number() -> None:
    one = Finding("override.over", Verdict.WARN, HOSTILE)
    lines = list(warning_lines(plan(warnings=(one,) * (SHOWN + 2)), PLAIN))
    assert lines[-1] == "… and 2 warnings more."
    assert lines[0].endswith("[override.over]")
    assert harmless("\n".join(lines))
    assert len(lines) == SHOWN + 1


@pytest.mark.parametrize(
    ("only_shown", "said"),
    [
        ((), []),
        (("--at",), ["Made with --at: this plan can be shown, not applied."]),
        (
            ("--at", "--snapshot"),
            ["Made with --at and --snapshot: this plan can be shown, not applied."],
        ),
    ],
)
def test_what_can_only_be_shown_says_why(only_shown: tuple[str, ...], said: list[str]) -> None:
    assert list(usable_lines(plan(only_shown=only_shown), PLAIN)) == said


def test_a_plan_of_a_tenant_that_was_hardly_read_says_so() -> None:
    unread = tuple(agent(str(n), status=Status.UNREAD, changes=()) for n in range(11))
    assert list(usable_lines(plan(agents=unread, managed=100), PLAIN)) == [
        "Too many agents are unread: this plan can be shown, not applied."
    ]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "Live as of 2026-11-25T12:00:00Z."),
        (
            {"next_boundary": LATER},
            "Live as of 2026-11-25T12:00:00Z. Next boundary 2026-11-25T14:00:00Z: "
            "from then on this plan would read differently.",
        ),
        (
            {"evaluated_at": LATER, "only_shown": ("--at",)},
            "Live as of 2026-11-25T12:00:00Z. Judged at 2026-11-25T14:00:00Z.",
        ),
        (
            {
                "created_at": NOW + timedelta(days=1, hours=2, minutes=3),
                "only_shown": ("--snapshot",),
            },
            "Live as of 2026-11-25T12:00:00Z (a snapshot, 1 d 2 h old).",
        ),
    ],
)
def test_when_it_was_read_and_judged(values: dict[str, Any], said: str) -> None:
    assert time_line(plan(**values)) == said


def test_the_first_boundary_of_all_is_told() -> None:
    deferred = agent(checks=(Finding("shift.noActiveShift", Verdict.DEFER, "m", LATER),))
    overrides = LATER + timedelta(hours=1)
    assert first_boundary((deferred,), overrides) == LATER
    assert first_boundary((), overrides) == overrides
    assert first_boundary((), None) is None
    assert "Next boundary 2026-11-25T14:00:00Z" in time_line(plan(next_boundary=LATER))


# --- the agents -------------------------------------------------------------------------------


def test_agents_with_one_cause_are_one_line() -> None:
    made = plan(agents=tuple(agent(key) for key in "abcdefg"))
    assert plan_text(made, PLAIN).splitlines()[2:5] == [
        f"  # 7 agents in East: {ROW}",
        "    a, b, c, d, e and 2 more",
        "",
    ]


def test_a_fold_tells_what_checks_say_and_who_is_protected() -> None:
    warned = tuple(agent(key, checks=(FINDING,)) for key in "abc")
    protected = tuple(agent(key, protected=True) for key in "xyz")
    assert plan_text(plan(agents=(*warned, *protected)), PLAIN).splitlines()[2:11] == [
        "  # 3 agents in East will be updated",
        "    a, b, c",
        "      warn: shift.modeConflict: the shift plans training",
        f"  ~ {ROW}",
        "    (2 unchanged values hidden)",
        "",
        f"  # 3 protected agents in East: {ROW}",
        "    x, y, z",
        "",
    ]


def test_what_was_pending_is_hidden_also_in_a_fold() -> None:
    pending = Change("skills/chat/level", Op.ADD, None, 3, None, SkillId("skill-2"), pending=True)
    mine = Change(LEVEL.path, Op.CHANGE, 5, 3, LEVEL.because, LEVEL.skill_id, pending=False)
    made = plan(agents=tuple(agent(key, changes=(mine, pending)) for key in "abc"))
    text = plan_text(made, PLAIN)
    assert "skills/chat" not in text
    assert "    (1 change already pending hidden)\n" in text
    assert "This change: 3 changes. Already pending: 3 changes of 3 agents.\n" in text


def added(part: str, value: int, *, pending: bool | None = None) -> Change:
    because = Because("t.yaml", 9, "member")
    skill = SkillId("skill-3")
    return Change(f"skills/mail/{part}", Op.ADD, None, value, because, skill, pending=pending)


@pytest.mark.parametrize(
    ("pending", "row"),
    [
        ((None, None), "+ skills/mail  standard (5), concurrent 3  t.yaml:9"),
        ((False, False), "+ skills/mail  standard (5), concurrent 3  t.yaml:9"),
        ((True, False), "+ skills/mail/concurrent  3  t.yaml:9"),
        ((False, True), "+ skills/mail  standard (5)  t.yaml:9"),
    ],
)
def test_a_new_skill_is_one_line_of_what_is_not_pending(
    pending: tuple[bool | None, bool | None], row: str
) -> None:
    changes = (added("level", 5, pending=pending[0]), added("concurrent", 3, pending=pending[1]))
    lines = plan_text(plan(agents=(agent(changes=changes),)), PLAIN).splitlines()
    assert [line for line in lines if "skills/mail" in line] == [f"  {row}"]
    assert ("    (1 change already pending hidden)" in lines) is (True in pending)


DEFERRED: dict[str, Any] = {"status": Status.DEFERRED, "phase": None}
OFF_SHIFT = Finding("shift.noActiveShift", Verdict.DEFER, "m", LATER)
UNKNOWN = Finding("shift.noActiveShift", Verdict.DEFER, "no shift planned")
EARLIER = NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("checks", "holds", "said", "first"),
    [
        ((OFF_SHIFT,), None, " until 2026-11-25T14:00:00Z", True),
        ((OFF_SHIFT,), LATER + timedelta(seconds=1), " until 2026-11-25T14:00:00Z", True),
        ((OFF_SHIFT,), LATER, "; what is wanted now holds only until 2026-11-25T14:00:00Z", False),
        (
            (OFF_SHIFT,),
            EARLIER,
            "; what is wanted now holds only until 2026-11-25T13:00:00Z",
            False,
        ),
        ((UNKNOWN,), EARLIER, "; what is wanted now holds only until 2026-11-25T13:00:00Z", False),
        ((UNKNOWN,), None, "", False),
        ((OFF_SHIFT, UNKNOWN), None, "", False),
        (
            (Finding("shift.modeConflict", Verdict.WARN, "m", EARLIER), OFF_SHIFT),
            None,
            " until 2026-11-25T14:00:00Z",
            True,
        ),
    ],
)
def test_deferred_until_what_defers_is_over(
    checks: tuple[Finding, ...], holds: Any, said: str, *, first: bool
) -> None:
    made = plan(agents=(agent(checks=checks, holds_until=holds, **DEFERRED),))
    lines = plan_text(made, PLAIN).splitlines()
    assert lines[0] == f"  @ a (id-a, East) is deferred{said}"
    told = ", the first until 2026-11-25T14:00:00Z" if first else ""
    assert f"No changes now. 1 agent deferred{told}." in lines


def test_who_waits_for_something_else_is_no_part_of_a_fold() -> None:
    waiting = [agent(key, checks=(OFF_SHIFT,), **DEFERRED) for key in "abc"]
    other = agent("d", checks=(OFF_SHIFT,), holds_until=EARLIER, **DEFERRED)
    text = plan_text(plan(agents=(*waiting, other)), PLAIN)
    assert "@ 3 agents in East are deferred until 2026-11-25T14:00:00Z" in text
    assert "@ d (id-d, East) is deferred; what is wanted now holds only until" in text


# --- what becomes true when -------------------------------------------------------------------


def event(what: str, *turns: Turn, name: str = "CHG-1", keys: str = "ab") -> Event:
    return Event(LATER, what, name, tuple(map(AgentKey, keys)), turns)


def test_a_timeline_in_words() -> None:
    made = (
        event(
            "begins", Turn("skills/voice/level", None, 3), Turn("workMode", "scheduled", "mode-off")
        ),
        event("ends", Turn("skills/voice/level", 3, None)),
        event("ends", name="CHG-2"),
        event("due", name="", keys="abcdefg"),
        event("shiftEnds", name=""),
        event("boundary", name="", keys=""),
    )
    assert timeline_text(plan(), made, timedelta(days=1), PLAIN).splitlines() == [
        "What becomes true until 2026-11-26T12:00:00Z:",
        "",
        "  2026-11-25T14:00:00Z  override CHG-1 begins: a, b",
        "      skills/voice/level  unmanaged → senior (3)",
        "      workMode            scheduled → off",
        "  2026-11-25T14:00:00Z  override CHG-1 ends: a, b",
        "      skills/voice/level  senior (3) is released and stays",
        "  2026-11-25T14:00:00Z  override CHG-2 ends: a, b",
        "      nothing changes: another layer says the same",
        "  2026-11-25T14:00:00Z  judged again: a, b, c, d, e and 2 agents more",
        "  2026-11-25T14:00:00Z  the shift that is followed ends: a, b",
        "  2026-11-25T14:00:00Z  from then on this plan would read differently",
    ]
    assert timeline_text(plan(), (), timedelta(days=1), PLAIN) == (
        "Until 2026-11-26T12:00:00Z nothing becomes true or ends by itself.\n"
    )


def test_a_timeline_as_json_and_hostile() -> None:
    made = event("begins", Turn(f"skills/{HOSTILE}/level", None, 3), name=HOSTILE, keys=HOSTILE)
    assert harmless(timeline_text(plan(), (made,), timedelta(days=1), PLAIN))
    (found,) = timeline_document([event("due", name="", keys="a")])
    assert found == {
        "at": "2026-11-25T14:00:00Z",
        "what": "due",
        "override": None,
        "agents": ["a"],
        "values": [],
    }


# --- the whole, at a width --------------------------------------------------------------------


def whole() -> Plan:
    return plan(
        agents=tuple(agent(key, checks=(FINDING,)) for key in "abcd"),
        rule_changes=(RuleChange("guards/freeze/black friday", "none", "off " * 30, looser=True),),
        scope=Scope(only=(tuple(Atom("agent", f"a.very.long.name.{n}") for n in range(9)),)),
        released=(left("skills/voice/level", 5, override="CHG-1"),) * 3,
        guards=(guard(GuardVerdict.DENY, examples=("an example that is long " * 3,)),),
        allowed=(Allowance("shifts", "a reason that is long " * 5),),
        warnings=(Finding("override.over", Verdict.WARN, "words and words " * 9),),
        next_boundary=LATER,
    )


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("paint", [PLAIN, COLOUR], ids=["plain", "colour"])
def test_no_line_is_wider_than_the_screen_and_no_word_is_lost(width: int, paint: Paint) -> None:
    text = plan_text(whole(), paint)
    shown = wrap(text, width)
    assert shown.split() == text.split()
    plain = wrap(plan_text(whole(), PLAIN), width)
    assert max(map(len, plain.splitlines())) <= width
    assert plain.count("\n") > plan_text(whole(), PLAIN).count("\n")


def test_colour_says_nothing_that_words_do_not() -> None:
    bare = plan_text(whole(), COLOUR)
    for code in ("\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m"):
        bare = bare.replace(code, "")
    assert bare == plan_text(whole(), PLAIN)
