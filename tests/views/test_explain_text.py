"""An explanation as people and machines read it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from cxplan.core.explain import Explanation, explain
from cxplan.core.explain_live import LiveAgent, shift_now, side_by_side
from cxplan.core.ids import AgentId, AgentKey
from cxplan.core.live import (
    MissingAgent,
    ObservedAgent,
    Schedule,
    ScheduleReading,
    UnreadableSchedule,
    UnreadAgent,
)
from cxplan.core.model import Declarations, LayerKind, Match, Off, Override, SkillSetting
from cxplan.core.resolve import resolve
from cxplan.views.explain_text import explain_document, explain_text
from cxplan.views.paint import Paint
from tests.core.make import (
    LEVELS,
    NOW,
    block,
    declarations,
    locate,
    member,
    observed,
    profile,
    schedule,
    shift,
    team,
)

RUNNING = schedule(shift(-1, 4, "training"))


def override(name: str, level: int, *, begins_in: float, hours: float = 4) -> Override:
    start = NOW + timedelta(hours=begins_in)
    made = block(LayerKind.OVERRIDE, name, {"voice": level})
    match = Match(agents=frozenset({AgentKey("a")}))
    return Override(name, start, start + timedelta(hours=hours), match, made)


def files(mode: str | None = None, *, exclusive: bool | None = None) -> Declarations:
    base = profile("base", {"voice": 5, "chat": (5, 3), "mail": SkillSetting(off=Off.ABSENT)})
    top = profile("top", {"chat": 3}, extends="base", mode=mode, exclusive=exclusive)
    said = {"voice": 5, "chat": SkillSetting(off=Off.DISABLED), "mail": (None, 2)}
    return declarations(team(member("a", said), profile="top", name="East"), profiles=(base, top))


def told(value: Declarations) -> Explanation:
    return explain(resolve(value), "a", NOW, locate)


def text(value: Declarations, live: LiveAgent | None = None, paint: Paint | None = None) -> str:
    return explain_text(told(value), live, LEVELS, paint or Paint())


def read(
    value: Declarations, agent: ObservedAgent, reading: ScheduleReading = RUNNING
) -> LiveAgent:
    explanation = told(value)
    now = shift_now(value, explanation, reading)
    rows = side_by_side(value, explanation, agent, now, locate)
    return LiveAgent(NOW, agent, now, rows)


def cells(found: str) -> list[str]:
    """Lines with a bar between their cells, however wide these are."""
    return [re.sub(r" {2,}", " | ", line.strip()) for line in found.splitlines()]


def test_the_files_alone() -> None:
    value = replace(files(), overrides=(override("CHG-1", 1, begins_in=-1),))
    assert cells(text(value)) == [
        "a (id-a, East) at 2026-11-25T12:00:00Z",
        "workMode | unmanaged",
        "skills/chat/level | disabled | members/a.yaml:7 (member)",
        "over senior (3) | profiles/top.yaml:7 (profile top)",
        "over standard (5) | profiles/base.yaml:7 (profile base)",
        "skills/chat/concurrent | unmanaged (disabled) | members/a.yaml:7 (member)",
        "over 3 | profiles/base.yaml:7 (profile base)",
        "skills/mail/level | absent | profiles/base.yaml:7 (profile base)",
        "skills/mail/concurrent | unmanaged (absent) | profiles/base.yaml:7 (profile base)",
        "no effect: 2 | members/a.yaml:7 (member)",
        "skills/voice/level | expert (1) | overrides/CHG-1.yaml:7"
        " (override CHG-1 until 2026-11-25T15:00:00Z)",
        "over standard (5) | members/a.yaml:7 (member)",
        "over standard (5) | profiles/base.yaml:7 (profile base)",
        "exclusive | no",
        "Overrides:",
        "CHG-1 ends 2026-11-25T15:00:00Z: skills/voice/level standard (5)",
    ]


def test_columns_are_aligned_and_what_is_beneath_is_indented() -> None:
    value = files()
    for found in (text(value), text(value, read(value, observed()))):
        lines = [line for line in found.splitlines() if ".yaml:" in line]
        assert len({line.index(line.split(".yaml:")[0].split()[-1]) for line in lines}) == 1
        wanted = next(line.index("disabled") for line in lines if "disabled" in line)
        beneath = {
            line.index(word) for line in lines for word in ("over ", "again ") if word in line
        }
        assert beneath == {wanted + 2}
        assert all(line.startswith("  ") and line == line.rstrip() for line in lines)


def test_a_layer_that_says_the_same_is_told_so() -> None:
    lines = text(files(exclusive=False)).splitlines()
    first = next(n for n, line in enumerate(lines) if "skills/voice/level" in line)
    assert lines[first].endswith("members/a.yaml:7 (member)")
    assert lines[first + 1].split() == [
        *["again", "standard", "(5)", "profiles/base.yaml:7", "(profile", "base);"],
        *["taking", "out", "the", "first", "alone", "changes", "nothing"],
    ]
    assert lines[-1].endswith("profiles/top.yaml:7 (profile top); no is the default too")


def test_overrides_to_come_and_those_that_are_over() -> None:
    several = tuple(override(f"old-{n}", 2, begins_in=-90 + n, hours=1) for n in range(7))
    value = replace(
        files(),
        overrides=(*several, override("soon", 3, begins_in=1), override("x", 3, begins_in=5)),
    )
    assert text(value).partition("Overrides:\n")[2] == (
        "  soon begins 2026-11-25T13:00:00Z: skills/voice/level senior (3)\n"
        "  soon ends, x begins 2026-11-25T17:00:00Z: no value becomes another one\n"
        "  x ends 2026-11-25T21:00:00Z: skills/voice/level standard (5)\n"
        "  old-2 is over since 2026-11-21T21:00:00Z\n"
        "  old-3 is over since 2026-11-21T22:00:00Z\n"
        "  old-4 is over since 2026-11-21T23:00:00Z\n"
        "  old-5 is over since 2026-11-22T00:00:00Z\n"
        "  old-6 is over since 2026-11-22T01:00:00Z\n"
        "  and 2 more that are over\n"
    )


def test_many_values_of_a_boundary_are_counted() -> None:
    skills = dict.fromkeys(("voice", "chat", "mail"), (1, 1))
    start = NOW + timedelta(hours=1)
    made = block(LayerKind.OVERRIDE, "big", skills, "training")
    match = Match(teams=frozenset({"East"}))
    value = replace(
        files(), overrides=(Override("big", start, start + timedelta(hours=1), match, made),)
    )
    begins = next(line for line in text(value).splitlines() if "big begins" in line)
    assert begins.startswith("  big begins 2026-11-25T13:00:00Z: workMode training, skills/")
    assert begins.endswith(", and 2 more values")


# --- beside the tenant ----------------------------------------------------------------------


def test_both_sides() -> None:
    value = files("scheduled")
    agent = observed(skills={"voice": (4, 1), "chat": (0, 0), "mail": (2, None)})
    assert cells(text(value, read(value, agent))) == [
        "a (id-a, East) at 2026-11-25T12:00:00Z",
        "VALUE | FILES | LIVE | WRITTEN IN",
        "workMode | scheduled | available | differs | profiles/top.yaml:7 (profile top)",
        "skills/chat/level | disabled | disabled | matches | members/a.yaml:7 (member)",
        "over senior (3) | profiles/top.yaml:7 (profile top)",
        "over standard (5) | profiles/base.yaml:7 (profile base)",
        "skills/chat/concurrent | unmanaged (disabled) | none | members/a.yaml:7 (member)",
        "over 3 | profiles/base.yaml:7 (profile base)",
        "skills/mail/level | absent | level 2 | differs | profiles/base.yaml:7 (profile base)",
        "skills/mail/concurrent | unmanaged (absent) | none | profiles/base.yaml:7 (profile base)",
        "no effect: 2 | members/a.yaml:7 (member)",
        "skills/voice/level | standard (5) | level 4 | differs | members/a.yaml:7 (member)",
        "again standard (5) | profiles/base.yaml:7 (profile base); "
        "taking out the first alone changes nothing",
        "skills/voice/concurrent | unmanaged | 1",
        "exclusive | no",
        "Shift: training until 2026-11-25T15:00:00Z; scheduled means training.",
        "Live as of 2026-11-25T12:00:00Z.",
    ]


def rows(value: Declarations, agent: ObservedAgent) -> dict[str, list[str]]:
    """The cells of each value's line."""
    found = text(value, read(value, agent)).splitlines()
    return {line.split()[0]: line.split()[1:] for line in found if line.startswith("  skills/")}


def test_what_is_not_held_and_what_exclusive_files_take_away() -> None:
    strict = profile("p", {"chat": 5}, exclusive=True)
    value = declarations(team(member("a"), profile="p"), profiles=(strict,))
    assert rows(value, observed(skills={"voice": (4, 1), "mail": (0, 0)})) == {
        "skills/chat/level": [
            *["standard", "(5)", "not", "held", "differs", "profiles/p.yaml:7", "(profile", "p)"]
        ],
        "skills/chat/concurrent": ["1", "(default)", "none", "differs"],
        "skills/mail/level": ["unmanaged", "disabled"],
        "skills/voice/level": [
            *["absent", "level", "4", "differs", "profiles/p.yaml:7", "(profile", "p)"]
        ],
        "skills/voice/concurrent": ["unmanaged", "1"],
    }


def test_a_concurrency_alone_is_not_compared_where_the_skill_is_not_held() -> None:
    value = declarations(team(member("a", {"chat": (None, 3)})))
    place = ["members/a.yaml:7", "(member)"]
    assert rows(value, observed()) == {"skills/chat/concurrent": ["3", "none", *place]}
    held = rows(value, observed(skills={"chat": (None, 3)}))
    assert held == {
        "skills/chat/level": ["unmanaged", "not", "stated"],
        "skills/chat/concurrent": ["3", "3", "matches", *place],
    }


def test_a_skill_and_a_mode_that_the_catalogue_does_not_know_go_by_their_ids() -> None:
    value = declarations(team(member("a")))
    agent = observed(skills={"chat": (5, 1)}, mode="mode-\u202eevil")
    odd = replace(agent.skills[0], skill_id=type(agent.skills[0].skill_id)("skill-\x1b[2J"))
    agent = replace(agent, skills=(odd,))
    found = text(value, read(value, agent))
    assert "skills/skill-\\u{001B}[2J/level" in found
    assert "mode-\\u{202E}evil" in found
    assert found.replace("\n", "").isprintable()


SHIFTS = [
    (
        schedule(shift(2, 4), shift(9, 1)),
        "Shift: no shift at this instant; the next begins 2026-11-25T14:00:00Z",
    ),
    (Schedule(), "Shift: no shift at this instant, and none is planned"),
    (
        UnreadableSchedule("schema.invalid: no list"),
        "Shift: the schedule could not be read: schema.invalid: no list",
    ),
    (
        schedule(shift(-1, 2), shift(-1, 3, "training")),
        "Shift: two shifts overlap: 2026-11-25T11:00:00Z to 2026-11-25T13:00:00Z available and "
        "2026-11-25T11:00:00Z to 2026-11-25T14:00:00Z training",
    ),
]


@pytest.mark.parametrize(("reading", "line"), SHIFTS)
def test_without_a_running_shift_scheduled_means_nothing(
    reading: ScheduleReading, line: str
) -> None:
    value = files("scheduled")
    live = read(value, observed(), reading)
    found = text(value, live).splitlines()
    assert f"{line}; so scheduled leaves the work mode as it is." in found
    assert live.rows[0].matches is None
    plain = files("training")
    assert f"{line}." in text(plain, read(plain, observed(), reading)).splitlines()


def test_an_agent_that_is_missing_or_unread_leaves_what_the_files_say() -> None:
    value = files()
    alone = text(value)
    missing = LiveAgent(NOW, MissingAgent(AgentId("id-a")), None)
    assert text(value, missing) == (
        f"{alone}The tenant knows no agent id-a: correct its id, or remove the member.\n"
    )
    unread = LiveAgent(
        NOW,
        UnreadAgent(AgentId("id-a"), "http.status", "500"),
        shift_now(value, told(value), RUNNING),
    )
    assert text(value, unread) == (
        f"{alone}Shift: training until 2026-11-25T15:00:00Z.\n"
        "The agent could not be read, so what it has is unknown.\n"
    )


def test_colour_changes_no_word() -> None:
    value = files("scheduled")
    live = read(value, observed(skills={"voice": (4, 1)}))
    painted = text(value, live, Paint(enabled=True))
    plain = text(value, live)
    assert "\x1b[33m  skills/voice/level" in painted
    for code in ("\x1b[33m", "\x1b[2m", "\x1b[1m", "\x1b[0m"):
        painted = painted.replace(code, "")
    assert painted == plain


# --- JSON -----------------------------------------------------------------------------------


def test_the_document_of_the_files_alone() -> None:
    value = replace(
        declarations(team(member("a", {"voice": 5}), name="East", skills={"voice": 3})),
        overrides=(override("CHG-0", 1, begins_in=-9), override("CHG-1", 1, begins_in=1)),
    )
    line = {"line": 7, "column": 3}
    by_member = {"file": "members/a.yaml", **line, "layer": "member", "name": "a"}
    by_team = {"file": "teams/East.yaml", **line, "layer": "team", "name": "East"}
    assert explain_document(told(value), None) == {
        "agent": {"id": "id-a", "name": "a", "team": "East"},
        "at": "2026-11-25T12:00:00Z",
        "values": [
            {"path": "workMode", "value": None, "because": None, "redundant": False, "chain": []},
            {
                "path": "skills/voice/level",
                "value": 5,
                "because": by_member,
                "redundant": False,
                "chain": [
                    {"value": 5, "standing": "counts", **by_member},
                    {"value": 3, "standing": "replaced", **by_team},
                ],
            },
            {"path": "exclusive", "value": False, "because": None, "redundant": False, "chain": []},
        ],
        "overrides": {
            "active": [],
            "boundaries": [
                {
                    "at": "2026-11-25T13:00:00Z",
                    "begins": ["CHG-1"],
                    "ends": [],
                    "changes": [{"path": "skills/voice/level", "before": 5, "after": 1}],
                },
                {
                    "at": "2026-11-25T17:00:00Z",
                    "begins": [],
                    "ends": ["CHG-1"],
                    "changes": [{"path": "skills/voice/level", "before": 1, "after": 5}],
                },
            ],
            "over": [
                {
                    "name": "CHG-0",
                    "file": "overrides/CHG-0.yaml",
                    "from": "2026-11-25T03:00:00Z",
                    "until": "2026-11-25T07:00:00Z",
                }
            ],
        },
    }


def test_the_document_beside_the_tenant() -> None:
    value = files("scheduled")
    agent = observed(skills={"voice": (4, 1), "chat": (0, 0)})
    document = explain_document(told(value), read(value, agent))
    assert document["live"] == {
        "readAt": "2026-11-25T12:00:00Z",
        "state": "read",
        "shift": {
            "workMode": "training",
            "workModeId": "mode-training",
            "until": "2026-11-25T15:00:00Z",
            "next": None,
            "trouble": None,
            "followed": True,
        },
    }
    sides = {v["path"]: (v["value"], v["live"], v["matches"]) for v in document["values"]}
    assert sides == {
        "workMode": ("scheduled", "available", False),
        "skills/chat/level": ("disabled", 0, True),
        "skills/chat/concurrent": (None, None, None),
        "skills/mail/level": ("absent", None, True),
        "skills/mail/concurrent": (None, None, None),
        "skills/voice/level": (5, 4, False),
        "skills/voice/concurrent": (None, 1, None),
        "exclusive": (False, None, None),
    }


def test_the_document_where_the_agent_is_missing() -> None:
    live = LiveAgent(NOW, MissingAgent(AgentId("id-a")), None)
    document = explain_document(told(files()), live)
    assert document["live"] == {"readAt": "2026-11-25T12:00:00Z", "state": "missing", "shift": None}
    assert all("live" not in value for value in document["values"])
