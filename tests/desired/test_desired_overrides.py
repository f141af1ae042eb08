"""Overrides: what is written, what it means, and what is refused where."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cxplan.core.ids import SCHEDULED, AgentKey, SkillName, WorkModeName
from cxplan.core.model import Layer, LayerKind, Match, Off, SkillSetting
from tests.desired.trees import override, problems, read, tree, write

CHAT = SkillName("chat")

EAST = b"""\
team: East
labels: {site: boston}
members:
  a.okafor: {labels: {cohort: a}}
  b.lindqvist: {}
"""


def with_override(**changes: bytes) -> dict[str, bytes]:
    return tree(team=EAST) | {"x.yaml": override(**changes)}


def test_an_override(tmp_path: Path) -> None:
    extra = b"reason: Cover\nticket: CHG-1\nowner: wfm\n"
    (found,) = read(write(tmp_path, with_override(extra=extra))).overrides
    assert found.name == "CHG-1"
    assert found.start == datetime(2026, 11, 26, 13, tzinfo=UTC)
    assert found.end == datetime(2026, 12, 1, 13, tzinfo=UTC)
    assert (found.start.tzinfo, found.end.tzinfo) == (UTC, UTC)
    assert found.block.layer == Layer(LayerKind.OVERRIDE, "CHG-1", "x.yaml", ("set",))
    assert (found.reason, found.ticket, found.owner) == ("Cover", "CHG-1", "wfm")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (b"{teams: [East]}", Match(teams=frozenset({"East"}))),
        (
            b"{agents: [a.okafor, b.lindqvist], exclude: [b.lindqvist]}",
            Match(
                agents=frozenset({AgentKey("a.okafor"), AgentKey("b.lindqvist")}),
                exclude=frozenset({AgentKey("b.lindqvist")}),
            ),
        ),
        (b"{labels: {cohort: a}}", Match(labels=frozenset({("cohort", "a")}))),
        (
            b"{labels: {site: [boston, porto], cohort: [a]}, teams: [East], exclude: []}",
            Match(
                teams=frozenset({"East"}),
                labels=frozenset({("site", "boston"), ("site", "porto"), ("cohort", "a")}),
            ),
        ),
    ],
)
def test_whom_an_override_is_for(tmp_path: Path, written: bytes, meant: Match) -> None:
    (found,) = read(write(tmp_path, with_override(match=written))).overrides
    assert found.match == meant


@pytest.mark.parametrize(
    ("written", "mode", "skills"),
    [
        (b"{workMode: training}", WorkModeName("training"), {}),
        (b"{workMode: scheduled, skills: {}}", SCHEDULED, {}),
        (b"{skills: {chat: absent}}", None, {CHAT: SkillSetting(off=Off.ABSENT)}),
        (b"{skills: {chat: {concurrent: 3}}}", None, {CHAT: SkillSetting(concurrent=3)}),
        (
            b"{workMode: available, skills: {chat: {level: standard, concurrent: 2}}}",
            WorkModeName("available"),
            {CHAT: SkillSetting(5, 2)},
        ),
    ],
)
def test_what_an_override_sets(
    tmp_path: Path,
    written: bytes,
    mode: WorkModeName | None,
    skills: dict[SkillName, SkillSetting],
) -> None:
    (found,) = read(write(tmp_path, with_override(set=written))).overrides
    assert (found.block.work_mode, found.block.skills) == (mode, skills)
    assert found.block.exclusive is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (b"2026-11-26T08:00:00Z", datetime(2026, 11, 26, 8, tzinfo=UTC)),
        (b"2026-11-26T08:00:00-00:00", datetime(2026, 11, 26, 8, tzinfo=UTC)),
        (b"2026-11-26T00:30:00+05:45", datetime(2026, 11, 25, 18, 45, tzinfo=UTC)),
        (b"2026-11-25T23:59:59.25-14:00", datetime(2026, 11, 26, 13, 59, 59, 250_000, UTC)),
        (b"2024-02-29T00:00:00.000001Z", datetime(2024, 2, 29, 0, 0, 0, 1, UTC)),
    ],
)
def test_a_time_is_turned_into_utc(tmp_path: Path, written: bytes, meant: datetime) -> None:
    for quote in (b'"', b"'"):
        (found,) = read(write(tmp_path, with_override(start=quote + written + quote))).overrides
        assert found.start == meant
        assert found.start.tzinfo is UTC


def test_overrides_are_sorted_by_start_then_name(tmp_path: Path) -> None:
    late = b'"2026-11-27T00:00:00Z"'
    files = tree(team=EAST) | {
        "a.yaml": override(name=b"late", start=late),
        "b.yaml": override(name=b"second"),
        "c.yaml": override(name=b"first"),
        "d.yaml": override(name=b"east of it", start=b'"2026-11-26T14:59:59+02:00"'),
    }
    found = read(write(tmp_path, files)).overrides
    assert [one.name for one in found] == ["east of it", "first", "second", "late"]


Place = tuple[int, int]
BAD_OVERRIDES: dict[str, tuple[dict[str, bytes], str, Place]] = {
    "no offset": ({"start": b'"2026-11-26T08:00:00"'}, "time.offset", (2, 7)),
    "no offset, a fraction": ({"end": b"'2026-11-26T08:00:00.5'"}, "time.offset", (3, 8)),
    "a zone's name": ({"start": b'"2026-11-26T08:00:00 Europe/Paris"'}, "time.format", (2, 7)),
    "an offset without a colon": ({"start": b'"2026-11-26T08:00:00-0500"'}, "time.format", (2, 7)),
    "an offset of hours": ({"start": b'"2026-11-26T08:00:00-05"'}, "time.format", (2, 7)),
    "an offset of a day": ({"start": b'"2026-11-26T08:00:00+24:00"'}, "time.format", (2, 7)),
    "an offset of 60 minutes": ({"start": b'"2026-11-26T08:00:00+05:60"'}, "time.format", (2, 7)),
    "a day": ({"start": b'"2026-11-26"'}, "time.format", (2, 7)),
    "a day, unquoted": ({"start": b"2026-11-26"}, "time.format", (2, 7)),
    "no seconds": ({"start": b'"2026-11-26T08:00Z"'}, "time.format", (2, 7)),
    "a blank for the T": ({"start": b'"2026-11-26 08:00:00Z"'}, "time.format", (2, 7)),
    "small letters": ({"start": b'"2026-11-26t08:00:00z"'}, "time.format", (2, 7)),
    "a week": ({"start": b'"2026-W48-4T08:00:00Z"'}, "time.format", (2, 7)),
    "a day that does not exist": ({"end": b'"2026-11-31T08:00:00Z"'}, "time.format", (3, 8)),
    "no leap year": ({"end": b'"2027-02-29T08:00:00Z"'}, "time.format", (3, 8)),
    "a month that does not exist": ({"end": b'"2026-13-01T08:00:00Z"'}, "time.format", (3, 8)),
    "hour 24": ({"end": b'"2026-11-30T24:00:00Z"'}, "time.format", (3, 8)),
    "a leap second": ({"end": b'"2026-12-31T23:59:60Z"'}, "time.format", (3, 8)),
    "nanoseconds": ({"end": b'"2026-12-31T23:59:59.123456789Z"'}, "time.format", (3, 8)),
    "the year 26": ({"start": b'"0026-11-26T08:00:00Z"'}, "time.format", (2, 7)),
    "digits of another script": (
        {"start": '"٢٠٢٦-11-26T08:00:00Z"'.encode()},
        "time.format",
        (2, 7),
    ),
    "a line end after the time": ({"start": b'"2026-11-26T08:00:00Z\\n"'}, "time.format", (2, 7)),
    "a number": ({"end": b"20261130"}, "schema.type", (3, 8)),
    "null": ({"end": b"null"}, "schema.type", (3, 8)),
    "no length": ({"end": b'"2026-11-26T13:00:00Z"'}, "time.order", (3, 8)),
    "backwards": ({"end": b'"2026-11-26T14:00:00+02:00"'}, "time.order", (3, 8)),
    "match is empty": ({"match": b"{}"}, "override.match", (4, 1)),
    "match only excludes": ({"match": b"{exclude: [a.okafor]}"}, "override.match", (4, 1)),
    "match is a list": ({"match": b"[a.okafor]"}, "schema.type", (4, 1)),
    "no teams": ({"match": b"{teams: [], agents: [a.okafor]}"}, "override.match", (4, 9)),
    "no agents": ({"match": b"{agents: []}"}, "override.match", (4, 9)),
    "no labels": ({"match": b"{agents: [a.okafor], labels: {}}"}, "override.match", (4, 29)),
    "no values of a label": ({"match": b"{labels: {site: []}}"}, "override.match", (4, 18)),
    "a team as text": ({"match": b"{teams: East}"}, "schema.type", (4, 16)),
    "an agent that is a number": ({"match": b"{agents: [1001]}"}, "schema.type", (4, 18)),
    "an agent twice": (
        {"match": b"{agents: [a.okafor, b.lindqvist, a.okafor]}"},
        "schema.duplicate",
        (4, 41),
    ),
    "a label of a list": ({"match": b"{labels: {site: [[boston]]}}"}, "schema.type", (4, 25)),
    "a label of a number": ({"match": b"{labels: {site: 7}}"}, "schema.type", (4, 24)),
    "a label with a space": ({"match": b"{labels: {' site': a}}"}, "name.format", (4, 18)),
    "a label like a secret": ({"match": b"{labels: {api_token: a}}"}, "schema.secret", (4, 18)),
    "a key of another layer": ({"match": b"{team: [East]}"}, "schema.unknown_key", (4, 9)),
    "an unknown team": ({"match": b"{teams: [East, West]}"}, "schema.unknown_team", (4, 23)),
    "an unknown agent": ({"match": b"{agents: [a.okafo]}"}, "schema.unknown_agent", (4, 18)),
    "an unknown excluded agent": (
        {"match": b"{teams: [East], exclude: [x]}"},
        "schema.unknown_agent",
        (4, 34),
    ),
    "an unknown label": ({"match": b"{labels: {floor: two}}"}, "override.match", (4, 1)),
    "nobody of both": (
        {"match": b"{agents: [b.lindqvist], labels: {cohort: a}}"},
        "override.match",
        (4, 1),
    ),
    "everybody excluded": (
        {"match": b"{agents: [a.okafor], exclude: [a.okafor]}"},
        "override.match",
        (4, 1),
    ),
    "set is empty": ({"set": b"{}"}, "override.set", (5, 1)),
    "set has no skills": ({"set": b"{skills: {}}"}, "override.set", (5, 1)),
    "set is a word": ({"set": b"available"}, "schema.type", (5, 6)),
    "set is exclusive": (
        {"set": b"{workMode: available, exclusive: true}"},
        "schema.unknown_key",
        (5, 28),
    ),
    "an unknown mode": ({"set": b"{workMode: lunch}"}, "schema.unknown_work_mode", (5, 17)),
    "an unknown skill": ({"set": b"{skills: {mail: 5}}"}, "schema.unknown_skill", (5, 16)),
    "an unknown level": ({"set": b"{skills: {chat: top}}"}, "schema.unknown_level", (5, 22)),
    "a level off the scale": (
        {"set": b"{skills: {chat: {level: 21}}}"},
        "schema.range",
        (5, 30),
    ),
    "level 0": ({"set": b"{skills: {chat: 0}}"}, "schema.range", (5, 22)),
    "a skill of null": ({"set": b"{skills: {chat: null}}"}, "schema.type", (5, 22)),
    "a name that is a number": ({"name": b"1042"}, "schema.type", (1, 11)),
    "no reason": ({"extra": b'reason: ""\n'}, "schema.range", (6, 9)),
    "a long reason": ({"extra": b"reason: " + b"x" * 201 + b"\n"}, "schema.range", (6, 9)),
    "a reason of two lines": ({"extra": b'reason: "a\\nb"\n'}, "yaml.control_char", (6, 9)),
    "a ticket that is a number": ({"extra": b"ticket: 1042\n"}, "schema.type", (6, 9)),
    "a list of owners": ({"extra": b"owner: [a, b]\n"}, "schema.type", (6, 1)),
    "an unknown key": ({"extra": b"to: x\n"}, "schema.unknown_key", (6, 1)),
}


@pytest.mark.parametrize("what", BAD_OVERRIDES)
def test_an_override_is_refused_at_its_place(tmp_path: Path, what: str) -> None:
    changes, code, place = BAD_OVERRIDES[what]
    (problem,) = problems(write(tmp_path, with_override(**changes)))
    origin = problem.origin
    assert origin is not None
    assert (problem.code, origin.file, origin.line, origin.column) == (code, "x.yaml", *place)


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("override", "schema.kind"),
        ("from", "schema.missing_key"),
        ("until", "schema.missing_key"),
        ("match", "override.match"),
        ("set", "schema.missing_key"),
    ],
)
def test_a_key_that_an_override_needs(tmp_path: Path, key: str, code: str) -> None:
    lines = override().splitlines(keepends=True)
    text = b"".join(line for line in lines if not line.startswith(key.encode() + b":"))
    (problem,) = problems(write(tmp_path, tree(team=EAST) | {"x.yaml": text}))
    assert (problem.code, str(problem.origin)) == (code, "x.yaml:1:1")


@pytest.mark.parametrize(
    "match",
    [b"{labels: {floor: two}}", b"{teams: [West], agents: [x], exclude: [y]}", b"{teams: [East]}"],
)
def test_nobody_counts_as_unknown_while_a_team_has_faults(tmp_path: Path, match: bytes) -> None:
    files = with_override(match=match)
    (problem,) = problems(write(tmp_path, files | {"team.yaml": b"team: East\nmembers: 1\n"}))
    assert (problem.code, str(problem.origin)) == ("schema.type", "team.yaml:2:10")
