"""The whole example of the language as declarations."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cxplan.core.ids import (
    SCHEDULED,
    AgentId,
    AgentKey,
    SkillId,
    SkillName,
    WorkModeId,
    WorkModeName,
)
from cxplan.core.model import (
    Block,
    CatalogueMode,
    CatalogueSkill,
    Category,
    Declarations,
    Layer,
    LayerKind,
    Levels,
    Match,
    Member,
    Off,
    Override,
    Profile,
    SkillSetting,
    Source,
    Team,
)
from cxplan.core.rules import (
    Coverage,
    Freeze,
    GuardSettings,
    Limit,
    OverrideRules,
    Policy,
    ShiftPolicy,
)
from cxplan.desired.source import FolderSource

EXAMPLE = Path(__file__).parent / "example"


@pytest.fixture
def example(tmp_path: Path) -> Path:
    folder = tmp_path / "desired"
    shutil.copytree(EXAMPLE, folder)
    return folder


def skills(**settings: SkillSetting) -> dict[SkillName, SkillSetting]:
    return {SkillName(name.replace("_", "-")): setting for name, setting in settings.items()}


def profile(
    name: str, declared: dict[SkillName, SkillSetting], extends: str | None = None
) -> Profile:
    layer = Layer(LayerKind.PROFILE, name, f"profiles/{name}.yaml")
    return Profile(name, Block(layer, None, declared), extends)


def member(
    file: str,
    key: str,
    id_: str,
    profile: str | None = None,
    mode: str | None = None,
    declared: dict[SkillName, SkillSetting] | None = None,
    protected: bool = False,
) -> Member:
    layer = Layer(LayerKind.MEMBER, key, file, ("members", key))
    block = Block(layer, WorkModeName(mode) if mode else None, declared or {})
    return Member(AgentKey(key), AgentId(id_), block, profile, protected=protected)


EAST, MANILA, ACADEMY = (
    f"teams/{name}.yaml" for name in ("billing-east", "tech-manila", "billing-academy")
)

TEAMS = (
    Team(
        "Billing Academy",
        Block(Layer(LayerKind.TEAM, "Billing Academy", ACADEMY)),
        (
            member(ACADEMY, "i.moreau", "agent-0021"),
            member(ACADEMY, "j.kaur", "agent-0022", mode="training"),
        ),
        "billing-trainee",
        "America/New_York",
        {"cohort": "2026-11-a"},
    ),
    Team(
        "Billing East",
        Block(Layer(LayerKind.TEAM, "Billing East", EAST)),
        (
            member(EAST, "a.okafor", "agent-0001"),
            member(EAST, "b.lindqvist", "agent-0002", "billing-senior"),
            member(
                EAST, "c.ramirez", "agent-0003", declared=skills(billing_voice_es=SkillSetting(1))
            ),
            member(
                EAST,
                "d.tanaka",
                "agent-0004",
                "billing-senior",
                declared=skills(payments_pci_en=SkillSetting(1)),
                protected=True,
            ),
            member(
                EAST,
                "e.novak",
                "agent-0005",
                declared=skills(billing_chat_en=SkillSetting(off=Off.ABSENT)),
            ),
        ),
        "billing-core",
        "America/New_York",
    ),
    Team(
        "Tech Manila",
        Block(Layer(LayerKind.TEAM, "Tech Manila", MANILA)),
        (
            member(MANILA, "f.santos", "agent-0011"),
            member(MANILA, "g.cruz", "agent-0012"),
            member(
                MANILA,
                "h.reyes",
                "agent-0013",
                declared=skills(tech_chat_en=SkillSetting(concurrent=3)),
            ),
        ),
        "tech-core",
        "Asia/Manila",
    ),
)

CHANNELS = {
    "billing-chat-en": ("skill-4711", "chat", 4),
    "billing-voice-en": ("skill-4701", "voice", 1),
    "billing-voice-es": ("skill-4702", "voice", 1),
    "payments-pci-en": ("skill-4790", "voice", 1),
    "retention-voice-en": ("skill-4741", "voice", 1),
    "tech-chat-en": ("skill-4731", "chat", 4),
    "tech-voice-en": ("skill-4721", "voice", 1),
}

MODES = {
    "available": ("workMode-100", Category.AVAILABLE),
    "leave": ("workMode-290", Category.UNAVAILABLE),
    "off-shift": ("workMode-900", Category.OFFLINE),
    "project": ("workMode-220", Category.UNAVAILABLE),
    "training": ("workMode-210", Category.UNAVAILABLE),
}

PROFILES = (
    profile(
        "billing-core",
        skills(billing_voice_en=SkillSetting(5), billing_chat_en=SkillSetting(5, 3)),
    ),
    profile(
        "billing-senior",
        skills(
            billing_voice_en=SkillSetting(3),
            billing_chat_en=SkillSetting(3),
            retention_voice_en=SkillSetting(5),
        ),
        "billing-core",
    ),
    Profile(
        "billing-trainee",
        Block(
            Layer(LayerKind.PROFILE, "billing-trainee", "profiles/billing-trainee.yaml"),
            SCHEDULED,
            skills(billing_chat_en=SkillSetting(12, 1)),
            exclusive=True,
        ),
    ),
    profile("tech-core", skills(tech_voice_en=SkillSetting(5), tech_chat_en=SkillSetting(5, 2))),
)


def override(name: str, file: str, declared: dict[SkillName, SkillSetting]) -> Block:
    return Block(Layer(LayerKind.OVERRIDE, name, f"overrides/{file}", ("set",)), None, declared)


OVERRIDES = (
    Override(
        "CHG-1057",
        datetime(2026, 11, 16, 14, tzinfo=UTC),
        datetime(2026, 11, 30, 14, tzinfo=UTC),
        Match(agents=frozenset({AgentKey("a.okafor")})),
        override(
            "CHG-1057", "CHG-1057-okafor-retention.yaml", skills(retention_voice_en=SkillSetting(5))
        ),
        "Covers retention while M. Hale is on leave",
        "CHG-1057",
        "billing-ops",
    ),
    Override(
        "CHG-1042",
        datetime(2026, 11, 26, 13, tzinfo=UTC),
        datetime(2026, 12, 1, 13, tzinfo=UTC),
        Match(teams=frozenset({"Tech Manila"}), exclude=frozenset({AgentKey("h.reyes")})),
        override(
            "CHG-1042", "CHG-1042-black-friday.yaml", skills(billing_chat_en=SkillSetting(18, 2))
        ),
        "Black Friday to Cyber Monday chat cover",
        "CHG-1042",
        "wfm-intraday",
    ),
)

EXPECTED = Declarations(
    tenant="acme-demo",
    api="availability-v2",
    levels=Levels(1, 20, {"expert": 1, "senior": 3, "standard": 5, "trainee": 12, "overflow": 18}),
    skills={
        SkillName(name): CatalogueSkill(SkillName(name), SkillId(id_), channel, most)
        for name, (id_, channel, most) in CHANNELS.items()
    },
    modes={
        WorkModeName(name): CatalogueMode(WorkModeName(name), WorkModeId(id_), category)
        for name, (id_, category) in MODES.items()
    },
    profiles={declared.name: declared for declared in PROFILES},
    teams=TEAMS,
    guards=GuardSettings(
        Limit(10, 5, 500),
        Limit(5, 5, 200),
        no_agent_without_skill=True,
        shifts=ShiftPolicy(Policy.DEFER, Policy.BLOCK, Policy.BLOCK, Policy.ALLOW, 15),
        total_concurrent=8,
        min_coverage=(
            Coverage(SkillName("payments-pci-en"), 1),
            Coverage(SkillName("billing-voice-en"), 3, level_at_least=5),
        ),
        freeze=(
            Freeze(
                "year end",
                datetime(2026, 12, 24, 5, tzinfo=UTC),
                datetime(2027, 1, 2, 5, tzinfo=UTC),
                except_overrides=True,
            ),
        ),
        overrides=OverrideRules(30, ("reason", "ticket", "owner")),
    ),
    time_zone="America/New_York",
    overrides=OVERRIDES,
)


def test_the_example_as_declarations(example: Path) -> None:
    assert FolderSource(example).read() == EXPECTED


def test_the_catalogue_profiles_and_teams_are_sorted_by_name(example: Path) -> None:
    found = FolderSource(example).read()
    for names in (found.skills, found.modes, found.profiles):
        assert list(names) == sorted(names)
    assert [team.name for team in found.teams] == sorted(team.name for team in found.teams)


@pytest.mark.parametrize(
    ("profile", "keys", "place"),
    [
        ("billing-core", ("skills", "billing-chat-en", "level"), "profiles/billing-core.yaml:4:29"),
        (
            "billing-core",
            ("skills", "billing-chat-en", "concurrent"),
            "profiles/billing-core.yaml:4:51",
        ),
        (
            "billing-core",
            ("skills", "billing-voice-en", "level"),
            "profiles/billing-core.yaml:3:21",
        ),
        ("billing-core", ("skills", "billing-voice-en"), "profiles/billing-core.yaml:3:21"),
        ("billing-core", ("skills", "billing-chat-en"), "profiles/billing-core.yaml:4:3"),
        ("billing-core", ("skills",), "profiles/billing-core.yaml:2:1"),
        ("billing-core", ("workMode",), "profiles/billing-core.yaml:1:1"),
        ("billing-senior", ("extends",), "profiles/billing-senior.yaml:2:10"),
    ],
)
def test_a_value_of_a_profile_is_located(
    example: Path, profile: str, keys: tuple[str, ...], place: str
) -> None:
    source = FolderSource(example)
    layer = source.read().profiles[profile].block.layer
    assert str(source.locate(Source(layer, keys))) == place


@pytest.mark.parametrize(
    ("key", "keys", "place"),
    [
        ("a.okafor", (), "teams/billing-east.yaml:5:3"),
        ("b.lindqvist", ("profile",), "teams/billing-east.yaml:6:44"),
        ("c.ramirez", ("skills", "billing-voice-es", "level"), "teams/billing-east.yaml:10:25"),
        ("e.novak", ("skills", "billing-chat-en", "level"), "teams/billing-east.yaml:20:24"),
        ("j.kaur", ("workMode",), "teams/billing-academy.yaml:7:42"),
        ("h.reyes", ("skills", "tech-chat-en", "concurrent"), "teams/tech-manila.yaml:7:68"),
        ("h.reyes", ("skills", "tech-chat-en", "level"), "teams/tech-manila.yaml:7:41"),
    ],
)
def test_a_value_of_a_member_is_located(
    example: Path, key: str, keys: tuple[str, ...], place: str
) -> None:
    source = FolderSource(example)
    members = {member.key: member for team in source.read().teams for member in team.members}
    layer = members[AgentKey(key)].block.layer
    assert str(source.locate(Source(layer, keys))) == place


@pytest.mark.parametrize(
    ("name", "keys", "place"),
    [
        ("CHG-1057", (), "CHG-1057-okafor-retention.yaml:9:1"),
        ("CHG-1057", ("skills", "retention-voice-en"), "CHG-1057-okafor-retention.yaml:11:25"),
        (
            "CHG-1057",
            ("skills", "retention-voice-en", "level"),
            "CHG-1057-okafor-retention.yaml:11:25",
        ),
        ("CHG-1042", ("skills", "billing-chat-en"), "CHG-1042-black-friday.yaml:12:5"),
        ("CHG-1042", ("skills", "billing-chat-en", "level"), "CHG-1042-black-friday.yaml:12:30"),
        (
            "CHG-1042",
            ("skills", "billing-chat-en", "concurrent"),
            "CHG-1042-black-friday.yaml:12:52",
        ),
        ("CHG-1042", ("workMode",), "CHG-1042-black-friday.yaml:10:1"),
    ],
)
def test_a_value_of_an_override_is_located(
    example: Path, name: str, keys: tuple[str, ...], place: str
) -> None:
    source = FolderSource(example)
    (layer,) = (one.block.layer for one in source.read().overrides if one.name == name)
    assert str(source.locate(Source(layer, keys))) == f"overrides/{place}"


def test_what_was_read_is_located_even_when_the_file_changes(example: Path) -> None:
    source = FolderSource(example)
    layer = source.read().profiles["billing-core"].block.layer
    shutil.rmtree(example)
    origin = source.locate(Source(layer, ("skills", "billing-chat-en", "level")))
    assert (origin.line, origin.column) == (4, 29)
