"""Ids that the tenant does not list, and names that differ from its own."""

from __future__ import annotations

import pytest

from cxplan.core.catalogue import other_names, unknown_ids
from cxplan.core.diff import Change, diff
from cxplan.core.ids import SkillId, WorkModeId
from cxplan.core.live import ListedSkill, TenantLists
from cxplan.core.resolve import resolve
from tests.core.make import MODES, SKILLS, declarations, member, observed, team, terms

LISTED = {skill.id: ListedSkill(skill.name) for skill in SKILLS.values()}
NAMED: dict[WorkModeId, str | None] = {mode.id: mode.name for mode in MODES.values()}


def changes() -> tuple[Change, ...]:
    """A work mode, a level and a concurrency of voice, and the removal of chat."""
    own = member("a", {"voice": (3, 1), "chat": 0}, mode="training")
    (agent,) = resolve(declarations(team(own))).agents
    return diff(agent, observed(skills={"chat": (5, 2, 4)}), terms())


def without(*names: str) -> TenantLists:
    skills = {key: value for key, value in LISTED.items() if value.name not in names}
    modes = {key: value for key, value in NAMED.items() if value not in names}
    return TenantLists(skills, modes)


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        (TenantLists(LISTED, NAMED), []),
        (TenantLists(), []),  # a tenant that has no lists
        (without("voice"), ["no skill skill-1"]),
        (without("mail", "off"), []),  # nothing would be written with them
        (
            without("voice", "chat", "training"),
            ["no work mode mode-training", "no skill skill-1", "no skill skill-2"],
        ),
        (TenantLists(None, {}), ["no work mode mode-training"]),
    ],
)
def test_each_id_that_is_not_listed_blocks_once(lists: TenantLists, said: list[str]) -> None:
    found = list(unknown_ids(lists, changes()))
    assert [finding.id for finding in found] == ["catalogue.unknownId"] * len(said)
    assert {finding.verdict.value for finding in found} <= {"block"}
    for finding, words in zip(found, said, strict=True):
        assert f"knows {words}; correct its id in the catalogue" in finding.message


@pytest.mark.parametrize(
    ("theirs", "warned"),
    [
        ("voice", False),
        ("Voice", False),
        (" VOICE ", False),
        ("v.o-i_c/e", False),
        ("VO\u00cfCE", True),
        ("voice 2", True),
        ("Voices", True),
        ("", True),
        (None, False),
    ],
)
def test_names_are_compared_as_people_read_them(theirs: str | None, warned: bool) -> None:
    lists = TenantLists(LISTED | {SkillId("skill-1"): ListedSkill(theirs)}, NAMED)
    found = list(other_names(declarations(), lists))
    assert [finding.id for finding in found] == ["catalogue.name"] * warned
    assert {finding.verdict.value for finding in found} <= {"warn"}
    if warned:
        assert "the skill skill-1 voice, the tenant calls it" in found[0].message


def test_work_modes_are_compared_too() -> None:
    modes = NAMED | {WorkModeId("mode-off"): "Logged out", WorkModeId("mode-blended"): None}
    (found,) = other_names(declarations(), TenantLists(LISTED, modes))
    assert found.message == (
        "the files call the work mode mode-off off, the tenant calls it Logged out"
    )


def test_an_id_that_is_not_listed_has_no_name_to_compare() -> None:
    assert list(other_names(declarations(), TenantLists({}, {}))) == []
    assert list(other_names(declarations(), TenantLists())) == []
