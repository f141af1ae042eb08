"""Guards: what is written, what it means, and what is refused where."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cxplan.core.ids import SkillName
from cxplan.core.rules import (
    Coverage,
    Freeze,
    GuardSettings,
    Limit,
    OverrideRules,
    Policy,
    ShiftPolicy,
)
from tests.desired.trees import problems, read, tree, write

CHAT = SkillName("chat")

DEFAULTS = GuardSettings()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (b"{}", DEFAULTS),
        (b"{maxAgentsChanged: off}", replace(DEFAULTS, max_agents_changed=None)),
        (b"{maxAgentsChanged: {}}", DEFAULTS),
        (
            b"{maxAgentsChanged: {percent: 5}}",
            replace(DEFAULTS, max_agents_changed=Limit(5, 10, 1000)),
        ),
        (
            b"{maxSkillsRemoved: {atMost: 5}}",
            replace(DEFAULTS, max_skills_removed=Limit(10, 10, 5)),
        ),
        (
            b"{maxSkillsRemoved: {percent: 0, orAtLeast: 0, atMost: 0}}",
            replace(DEFAULTS, max_skills_removed=Limit(0, 0, 0)),
        ),
        (b"{noAgentWithoutSkill: off}", replace(DEFAULTS, no_agent_without_skill=False)),
        (b"{noAgentWithoutSkill: deny}", DEFAULTS),
        (
            b"{shifts: {skillsOffShift: defer, graceMinutes: 0}}",
            replace(DEFAULTS, shifts=ShiftPolicy(skills_off_shift=Policy.DEFER, grace_minutes=0)),
        ),
        (b"{totalConcurrent: {atMost: 8}}", replace(DEFAULTS, total_concurrent=8)),
        (b"{totalConcurrent: off}", DEFAULTS),
        (b"{minCoverage: [], freeze: []}", DEFAULTS),
        (
            b"{minCoverage: [{skill: chat, agents: 2}, "
            b"{skill: chat, agents: 1, levelAtLeast: expert, horizonHours: 168}, "
            b"{skill: voice, agents: 1, levelAtLeast: 20, horizonHours: 1}]}",
            replace(
                DEFAULTS,
                min_coverage=(
                    Coverage(CHAT, 2),
                    Coverage(CHAT, 1, 1, 168),
                    Coverage(SkillName("voice"), 1, 20, 1),
                ),
            ),
        ),
        (
            b'{freeze: [{name: a, from: "2026-12-24T00:00:00+01:00", '
            b'until: "2026-12-24T00:00:00Z"}, '
            b'{name: b, from: "2026-12-24T00:00:00Z", until: "2027-01-02T00:00:00.5Z", '
            b"except: [overrides]}, "
            b'{name: c, from: "2028-02-29T00:00:00Z", until: "2028-03-01T00:00:00Z", except: []}]}',
            replace(
                DEFAULTS,
                freeze=(
                    Freeze(
                        "a",
                        datetime(2026, 12, 23, 23, tzinfo=UTC),
                        datetime(2026, 12, 24, tzinfo=UTC),
                    ),
                    Freeze(
                        "b",
                        datetime(2026, 12, 24, tzinfo=UTC),
                        datetime(2027, 1, 2, 0, 0, 0, 500_000, tzinfo=UTC),
                        except_overrides=True,
                    ),
                    Freeze(
                        "c",
                        datetime(2028, 2, 29, tzinfo=UTC),
                        datetime(2028, 3, 1, tzinfo=UTC),
                    ),
                ),
            ),
        ),
        (b"{overrides: off}", replace(DEFAULTS, overrides=None)),
        (b"{overrides: {}}", DEFAULTS),
        (
            b"{overrides: {maxDays: 30}}",
            replace(DEFAULTS, overrides=OverrideRules(max_days=30)),
        ),
        (
            b"{overrides: {require: [], denyWhenExpiredDays: 0}}",
            replace(DEFAULTS, overrides=OverrideRules(require=(), deny_when_expired_days=0)),
        ),
        (
            b"{overrides: {require: [owner, ticket]}}",
            replace(DEFAULTS, overrides=OverrideRules(require=("owner", "ticket"))),
        ),
    ],
)
def test_guards_keep_their_defaults_for_what_is_left_out(
    tmp_path: Path, written: bytes, meant: GuardSettings
) -> None:
    files = {**tree(), "guards.yaml": b"guards: " + written + b"\n"}
    assert read(write(tmp_path, files)).guards == meant


def test_without_a_guards_file_the_defaults_hold(tmp_path: Path) -> None:
    assert read(write(tmp_path, tree())).guards == DEFAULTS


Place = tuple[int, int]
BAD_GUARDS: dict[str, tuple[bytes, str, Place]] = {
    "a total of 0": (b"totalConcurrent: {atMost: 0}", "schema.range", (2, 29)),
    "a total of nothing": (b"totalConcurrent: {}", "schema.missing_key", (2, 3)),
    "a total as a number": (b"totalConcurrent: 8", "schema.type", (2, 20)),
    "a total that is false": (b"totalConcurrent: false", "schema.type", (2, 20)),
    "coverage off": (b"minCoverage: off", "schema.type", (2, 16)),
    "coverage as a map": (b"minCoverage: {skill: chat, agents: 1}", "schema.type", (2, 3)),
    "coverage by nobody": (
        b"minCoverage: [{skill: chat, agents: 0}]",
        "schema.range",
        (2, 39),
    ),
    "coverage of an unknown skill": (
        b"minCoverage: [{skill: chat, agents: 1}, {skill: chatt, agents: 1}]",
        "schema.unknown_skill",
        (2, 51),
    ),
    "coverage by an unknown level": (
        b"minCoverage: [{skill: chat, agents: 1, levelAtLeast: standart}]",
        "schema.unknown_level",
        (2, 56),
    ),
    "coverage by an off word": (
        b"minCoverage: [{skill: chat, agents: 1, levelAtLeast: disabled}]",
        "schema.unknown_level",
        (2, 56),
    ),
    "coverage by level 0": (
        b"minCoverage: [{skill: chat, agents: 1, levelAtLeast: 0}]",
        "schema.range",
        (2, 56),
    ),
    "coverage by a level off the scale": (
        b"minCoverage: [{skill: chat, agents: 1, levelAtLeast: 21}]",
        "schema.range",
        (2, 56),
    ),
    "coverage by a quoted number": (
        b'minCoverage: [{skill: chat, agents: 1, levelAtLeast: "5"}]',
        "schema.type",
        (2, 56),
    ),
    "coverage for no hours": (
        b"minCoverage: [{skill: chat, agents: 1, horizonHours: 0}]",
        "schema.range",
        (2, 56),
    ),
    "coverage for over a week": (
        b"minCoverage: [{skill: chat, agents: 1, horizonHours: 169}]",
        "schema.range",
        (2, 56),
    ),
    "a freeze off": (b"freeze: off", "schema.type", (2, 11)),
    "a freeze without a name": (
        b'freeze: [{from: "2026-12-24T00:00:00Z", until: "2026-12-25T00:00:00Z"}]',
        "schema.missing_key",
        (2, 12),
    ),
    "a freeze without an offset": (
        b'freeze: [{name: a, from: "2026-12-24T00:00:00", until: "2026-12-25T00:00:00Z"}]',
        "time.offset",
        (2, 28),
    ),
    "a freeze without a length": (
        b'freeze: [{name: a, from: "2026-12-24T00:00:00Z", until: "2026-12-24T00:00:00Z"}]',
        "time.order",
        (2, 59),
    ),
    "a freeze but for something else": (
        b'freeze: [{name: a, from: "2026-12-24T00:00:00Z", until: "2026-12-25T00:00:00Z", '
        b"except: [overrides, agents]}]",
        "schema.value",
        (2, 103),
    ),
    "rules for no days": (b"overrides: {maxDays: 0}", "schema.range", (2, 24)),
    "rules that require what is none": (
        b"overrides: {require: [reason, name]}",
        "schema.value",
        (2, 33),
    ),
    "rules that are true": (b"overrides: true", "schema.type", (2, 14)),
    "rules for days before": (
        b"overrides: {denyWhenExpiredDays: -1}",
        "schema.range",
        (2, 36),
    ),
}


@pytest.mark.parametrize("what", BAD_GUARDS)
def test_a_guard_is_refused_at_its_place(tmp_path: Path, what: str) -> None:
    written, code, place = BAD_GUARDS[what]
    files = tree() | {"guards.yaml": b"guards:\n  " + written + b"\n"}
    (problem,) = problems(write(tmp_path, files))
    origin = problem.origin
    assert origin is not None
    assert (problem.code, origin.file, origin.line, origin.column) == (code, "guards.yaml", *place)


def test_two_freezes_of_one_name_are_both_named(tmp_path: Path) -> None:
    period = b'from: "2026-12-24T00:00:00Z", until: "2026-12-25T00:00:00Z"}'
    text = b"guards:\n  freeze:\n" + (b"    - {name: a, " + period + b"\n") * 2
    (problem,) = problems(write(tmp_path, tree() | {"guards.yaml": text}))
    assert (problem.code, str(problem.origin)) == ("schema.duplicate", "guards.yaml:4:14")
    assert problem.hint is not None
    assert problem.hint.endswith("The other is at guards.yaml:3:14.")


def test_a_limit_that_the_usual_bound_overrules_is_an_error(tmp_path: Path) -> None:
    files = {**tree(), "guards.yaml": b"guards: {maxAgentsChanged: {orAtLeast: 2000}}\n"}
    (problem,) = problems(write(tmp_path, files))
    assert problem.code == "schema.range"
    assert "2000 is over atMost's default (1000)" in problem.summary
