"""What is written and what it means; what is refused and with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxplan.core.ids import SkillName
from cxplan.core.model import Levels, Off, SkillSetting
from tests.desired.trees import (
    MODES,
    PROFILE,
    SKILLS,
    TENANT,
    problems,
    read,
    team,
    tree,
    write,
)

CHAT = SkillName("chat")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (b"standard", SkillSetting(level=5)),
        (b"{level: standard}", SkillSetting(level=5)),
        (b"7", SkillSetting(level=7)),
        (b"{level: 7, concurrent: 2}", SkillSetting(level=7, concurrent=2)),
        (b"{concurrent: 2, level: standard}", SkillSetting(level=5, concurrent=2)),
        (b"{concurrent: 3}", SkillSetting(concurrent=3)),
        (b"disabled", SkillSetting(off=Off.DISABLED)),
        (b"absent", SkillSetting(off=Off.ABSENT)),
        (b"20", SkillSetting(level=20)),
        (b"'expert'", SkillSetting(level=1)),
    ],
)
def test_a_skill(tmp_path: Path, written: bytes, meant: SkillSetting) -> None:
    files = tree(team=team(skills=b"{chat: " + written + b"}"))
    (member,) = read(write(tmp_path, files)).teams[0].members
    assert member.block.skills == {CHAT: meant}


def test_a_number_that_equals_true_is_still_a_number(tmp_path: Path) -> None:
    files = tree(team=team(skills=b"{chat: 1, voice: {level: 1, concurrent: 1}}"))
    (member,) = read(write(tmp_path, files)).teams[0].members
    assert list(member.block.skills.values()) == [SkillSetting(1), SkillSetting(1, 1)]


def test_a_key_is_the_id_where_none_is_written(tmp_path: Path) -> None:
    files = tree(team=b"team: East\nmembers:\n  agent-1: {}\n")
    (member,) = read(write(tmp_path, files)).teams[0].members
    assert (member.key, member.id) == ("agent-1", "agent-1")


def test_labels_and_time_zone(tmp_path: Path) -> None:
    text = (
        b"team: East\ntimeZone: Etc/GMT+5\nlabels: {site: Porto}\nmembers:\n  a: {labels: {x: y}}\n"
    )
    (east,) = read(write(tmp_path, tree(team=text))).teams
    assert (east.time_zone, east.labels, east.members[0].labels) == (
        "Etc/GMT+5",
        {"site": "Porto"},
        {"x": "y"},
    )


def test_without_levels_the_scale_is_that_of_the_tenant_s_proficiencies(tmp_path: Path) -> None:
    tenant = TENANT[: TENANT.index(b"levels")]
    files = tree(tenant=tenant, profile=PROFILE.replace(b"standard", b"20"))
    assert read(write(tmp_path, files)).levels == Levels(1, 20, {})


def test_a_scale_may_have_its_best_end_above(tmp_path: Path) -> None:
    tenant = TENANT.replace(b"best: 1, worst: 20", b"best: 20, worst: 1")
    found = read(write(tmp_path, tree(tenant=tenant)))
    assert found.levels.better(5, 7)


def test_a_layer_may_follow_the_shift_and_be_exclusive(tmp_path: Path) -> None:
    profile = PROFILE + b"workMode: scheduled\nexclusive: true\n"
    files = tree(profile=profile, team=team(extra=b"    exclusive: false\n"))
    meant = read(write(tmp_path, files))
    (found,) = meant.profiles.values()
    assert (found.block.work_mode, found.block.exclusive) == ("scheduled", True)
    (member,) = meant.teams[0].members
    assert member.block.exclusive is False


@pytest.mark.parametrize(("written", "meant"), [(b"", False), (b"true", True), (b"false", False)])
def test_a_member_may_be_protected(tmp_path: Path, written: bytes, meant: bool) -> None:
    files = tree(team=team(extra=b"    protected: " + written + b"\n" if written else b""))
    (member,) = read(write(tmp_path, files)).teams[0].members
    assert member.protected is meant


def test_the_admin_api_is_refused_by_name(tmp_path: Path) -> None:
    files = tree(tenant=TENANT.replace(b"availability-v2", b"admin"))
    (problem,) = problems(write(tmp_path, files))
    assert problem.code == "language.unsupported"
    assert problem.summary == '"admin" is not supported by this version yet.'
    assert str(problem.origin) == "tenant.yaml:3:6"


REFUSED: dict[str, tuple[dict[str, bytes], str]] = {
    "another api": (tree(tenant=TENANT.replace(b"availability-v2", b"v3")), "schema.value"),
    "protected as a word": (tree(team=team(extra=b"    protected: yes\n")), "schema.type"),
    "a protected team": (tree(team=team(extra=b"protected: true\n")), "schema.unknown_key"),
    "exclusive as a word": (tree(profile=PROFILE + b"exclusive: yes\n"), "schema.type"),
    "an empty skill": (tree(team=team(skills=b"{chat: {}}")), "schema.type"),
    "a null skill": (tree(team=team(skills=b"{chat: null}")), "schema.type"),
    "concurrent 0": (tree(team=team(skills=b"{chat: {concurrent: 0}}")), "schema.range"),
    "concurrent 101": (tree(team=team(skills=b"{chat: {concurrent: 101}}")), "schema.range"),
    "concurrent true": (tree(team=team(skills=b"{chat: {concurrent: true}}")), "schema.type"),
    "a level off the scale": (tree(team=team(skills=b"{chat: 21}")), "schema.range"),
    "a negative level": (tree(team=team(skills=b"{chat: -1}")), "schema.range"),
    "an off word as a level": (
        tree(team=team(skills=b"{chat: {level: disabled}}")),
        "schema.value",
    ),
    "an unknown level": (tree(team=team(skills=b"{chat: senior}")), "schema.unknown_level"),
    "an unknown skill": (tree(team=team(skills=b"{mail: 5}")), "schema.unknown_skill"),
    "an unknown profile": (tree(profile=None), "schema.unknown_profile"),
    "an unknown mode": (
        tree(team=team(extra=b"    workMode: lunch\n")),
        "schema.unknown_work_mode",
    ),
    "one end of the scale": (
        tree(tenant=TENANT.replace(b"best: 1, worst: 20", b"best: 5, worst: 5")),
        "schema.range",
    ),
    "one id for two skills": (
        tree(skills=SKILLS.replace(b"skill-2", b"skill-1")),
        "schema.duplicate_id",
    ),
    "one id for two modes": (
        tree(modes=MODES.replace(b"workMode-210", b"workMode-100")),
        "schema.duplicate_id",
    ),
    "an unknown category": (
        tree(modes=MODES.replace(b"unavailable", b"away")),
        "schema.value",
    ),
    "a mode named like the schedule": (
        tree(modes=MODES.replace(b"training", b"scheduled")),
        "schema.value",
    ),
    "two tenants": (tree() | {"z.yaml": TENANT}, "schema.duplicate"),
    "two guards' files": (
        tree() | {"a.yaml": b"guards: {}\n", "b.yaml": b"guards: {}\n"},
        "schema.duplicate",
    ),
    "a key that is an id of another": (
        tree(team=team(extra=b'  "1001": {}\n')),
        "schema.duplicate_id",
    ),
    "a key that can be no id": (tree(team=team(extra=b"  b c: {}\n")), "id.format"),
    "no tenant": (tree(tenant=None), "desired.no_tenant"),
    "no members": (tree(team=b"team: East\nmembers: {}\n"), "desired.empty"),
    "no team": (tree(team=None), "desired.empty"),
    "a limit that cannot count": (
        tree() | {"g.yaml": b"guards: {maxAgentsChanged: {orAtLeast: 9, atMost: 8}}\n"},
        "schema.range",
    ),
    "a circle": (tree(profile=PROFILE + b"extends: core\n"), "schema.cycle"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(tmp_path: Path, what: str) -> None:
    files, code = REFUSED[what]
    assert {problem.code for problem in problems(write(tmp_path, files))} >= {code}


def test_what_a_broken_file_may_declare_is_not_reported_as_missing(tmp_path: Path) -> None:
    files = tree(skills=b"skills: {\n", profile=b"profile: [\n", tenant=b"\xff")
    codes = [problem.code for problem in problems(write(tmp_path, files))]
    assert sorted(codes) == ["yaml.encoding", "yaml.syntax", "yaml.syntax"]


def test_a_faulty_entry_of_the_catalogue_is_not_reported_again_where_it_is_used(
    tmp_path: Path,
) -> None:
    files = tree(skills=SKILLS.replace(b'"skill-1"', b"4711"))
    (problem,) = problems(write(tmp_path, files))
    assert problem.code == "schema.type"


def test_more_agents_than_the_limit(tmp_path: Path) -> None:
    members = b"".join(b"  a%d: {}\n" % number for number in range(100_001))
    (problem,) = problems(write(tmp_path, tree(team=b"team: East\nmembers:\n" + members)))
    assert problem.code == "schema.too_many"
    assert "100,000 agents" in problem.summary


def test_a_list_of_errors_has_an_end(tmp_path: Path) -> None:
    keys = b"".join(b"unknown%d: 1\n" % number for number in range(20_000))
    found = problems(write(tmp_path, tree(tenant=TENANT + keys)))
    assert len(found) == 1_001
    assert (found[0].code, found[0].origin) == ("desired.cut", None)
