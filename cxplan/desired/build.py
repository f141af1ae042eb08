"""What all files say together: everything once, every reference known, to declarations.

Where a file could not be read, what it may have declared is not reported as missing: one mistake is
one message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from cxplan.core.ids import AgentId, AgentKey, SkillId, SkillName, WorkModeId, WorkModeName
from cxplan.core.model import (
    CatalogueMode,
    CatalogueSkill,
    Declarations,
    Layer,
    LayerKind,
    Member,
    Profile,
    Team,
)
from cxplan.core.rules import GuardSettings
from cxplan.desired.content import (
    Content,
    GuardsFile,
    MemberEntry,
    ModeEntry,
    ModesFile,
    OverrideFile,
    ProfileFile,
    SkillEntry,
    SkillsFile,
    TeamFile,
    TenantFile,
)
from cxplan.desired.faults import Fault, Faults, Sheet, Spot
from cxplan.desired.fields import MAX_AGENTS, good_id
from cxplan.desired.layers import Blocks
from cxplan.desired.links import Names, Once, refuse_circles
from cxplan.desired.scale import Scale
from cxplan.desired.schema import Kind
from cxplan.desired.terms import DEFAULT_LEVELS
from cxplan.desired.timed import declared_overrides

_File = TypeVar(
    "_File", TenantFile, GuardsFile, SkillsFile, ModesFile, ProfileFile, TeamFile, OverrideFile
)
_Entry = TypeVar("_Entry", SkillEntry, ModeEntry)


@dataclass(frozen=True, slots=True)
class Pages:
    """What was read of the files, in their order."""

    contents: tuple[tuple[Sheet, Content], ...]
    incomplete: frozenset[Kind]
    """Kinds of which something may be missing, since a file of theirs has faults."""

    def all(self, kind: type[_File]) -> Iterator[tuple[Sheet, _File]]:
        """Yield the files of one kind."""
        return ((sheet, content) for sheet, content in self.contents if isinstance(content, kind))


def declare(pages: Pages, faults: Faults) -> Declarations | None:
    """Put the files together; to be used only where no fault was reported."""
    first = _only(pages.all(TenantFile), "tenant")
    tenant = first[1] if first else None
    levels = tenant.levels if tenant else DEFAULT_LEVELS
    skills, modes = _skills(pages), _modes(pages)
    written = _written_profiles(pages)
    blocks = Blocks(
        Scale(levels, Kind.TENANT not in pages.incomplete),
        _names(pages, Kind.SKILLS, "skill", skills),
        _names(pages, Kind.MODES, "work mode", modes),
    )
    names = _names(pages, Kind.PROFILE, "profile", written)
    profiles = {name: _profile(*written[name], blocks, names) for name in sorted(written)}
    refuse_circles((sheet, name, file.part.profile) for name, (sheet, file) in written.items())
    teams = _teams(pages, blocks, names)
    guards = _guards(pages, blocks)
    overrides = declared_overrides(
        pages.all(OverrideFile), blocks, teams, complete=_all_teams(pages, teams)
    )
    _refuse_emptiness(pages, faults)
    if tenant is None:
        return None
    return Declarations(
        tenant.tenant,
        tenant.api,
        levels,
        skills,
        modes,
        profiles,
        teams,
        guards,
        tenant.time_zone,
        overrides,
    )


def _names(pages: Pages, kind: Kind, what: str, known: Mapping[Any, object]) -> Names:
    code = f"schema.unknown_{what.replace(' ', '_')}"
    return Names(what, code, known, kind not in pages.incomplete)


def _only(files: Iterator[tuple[Sheet, _File]], key: str) -> tuple[Sheet, _File] | None:
    """Return the one file of a kind; a second one is reported with the place of the first."""
    first = next(files, None)
    if first is None:
        return None
    for sheet, _ in files:
        sheet.twice(
            "schema.duplicate",
            Spot((key,), on_key=True),
            f"There is a second file with the key {key}.",
            (first[0].file, Spot((key,), on_key=True)),
            "Keep one of them.",
        )
    return first


def _guards(pages: Pages, blocks: Blocks) -> GuardSettings:
    """Return the guards, the skills and levels of their coverage resolved."""
    first = _only(pages.all(GuardsFile), "guards")
    if first is None:
        return GuardSettings()
    sheet, file = first
    coverage = []
    for entry in file.coverage:
        blocks.skills.check(sheet, entry.coverage.skill, (*entry.keys, "skill"))
        level = entry.level
        if level is not None:
            level = blocks.scale.number(sheet, (*entry.keys, "levelAtLeast"), level)
        coverage.append(replace(entry.coverage, level_at_least=level))
    return replace(file.guards, min_coverage=tuple(coverage))


def _skills(pages: Pages) -> dict[SkillName, CatalogueSkill]:
    files = ((sheet, file.entries) for sheet, file in pages.all(SkillsFile))
    found = {
        SkillName(name): CatalogueSkill(
            SkillName(name), SkillId(entry.id), entry.channel, entry.max_concurrent
        )
        for name, entry in _entries(files, "skills", "skill")
    }
    return dict(sorted(found.items()))


def _modes(pages: Pages) -> dict[WorkModeName, CatalogueMode]:
    files = ((sheet, file.entries) for sheet, file in pages.all(ModesFile))
    found = {
        WorkModeName(name): CatalogueMode(WorkModeName(name), WorkModeId(entry.id), entry.category)
        for name, entry in _entries(files, "workModes", "work mode")
    }
    return dict(sorted(found.items()))


def _entries(
    files: Iterator[tuple[Sheet, Mapping[str, _Entry]]], key: str, what: str
) -> Iterator[tuple[str, _Entry]]:
    """Yield the entries of all catalogue files of a kind; each name and each id stands once."""
    names = Once(f"The {what}")
    ids = Once(f"The id of a {what}", "schema.duplicate_id", on_key=False)
    for sheet, entries in files:
        for name, entry in entries.items():
            ids.claim(sheet, entry.id, (key, name, "id"))
            if names.claim(sheet, name, (key, name)):
                yield name, entry


def _written_profiles(pages: Pages) -> dict[str, tuple[Sheet, ProfileFile]]:
    names = Once("The profile", on_key=False)
    return {
        file.name: (sheet, file)
        for sheet, file in pages.all(ProfileFile)
        if names.claim(sheet, file.name, ("profile",))
    }


def _profile(sheet: Sheet, file: ProfileFile, blocks: Blocks, profiles: Names) -> Profile:
    extends = file.part.profile
    profiles.check(sheet, extends, ("extends",))
    layer = Layer(LayerKind.PROFILE, file.name, sheet.file)
    return Profile(file.name, blocks.block(sheet, layer, file.part), extends)


@dataclass(frozen=True, slots=True)
class _Teams:
    """Makes teams; keys and ids of members stand once in the tenant."""

    blocks: Blocks
    profiles: Names
    names: Once = field(default_factory=lambda: Once("The team", on_key=False))
    keys: Once = field(default_factory=lambda: Once("The member", "schema.duplicate_id"))
    ids: Once = field(
        default_factory=lambda: Once("The id of an agent", "schema.duplicate_id", on_key=False)
    )

    def team(self, sheet: Sheet, file: TeamFile) -> Team:
        """Return one team, and report what is wrong with it."""
        self.names.claim(sheet, file.name, ("team",))
        self.profiles.check(sheet, file.part.profile, ("profile",))
        return Team(
            file.name,
            self.blocks.block(sheet, Layer(LayerKind.TEAM, file.name, sheet.file), file.part),
            tuple(self._member(sheet, key, entry) for key, entry in file.members.items()),
            file.part.profile,
            file.time_zone,
            file.labels,
        )

    def _member(self, sheet: Sheet, key: str, entry: MemberEntry) -> Member:
        keys = ("members", key)
        self.keys.claim(sheet, key, keys)
        self._claim_id(sheet, keys, entry.id)
        profile = entry.part.profile
        if profile is not None:
            self.profiles.check(sheet, profile, (*keys, "profile"))
        return Member(
            AgentKey(key),
            AgentId(entry.id if entry.id is not None else key),
            self.blocks.block(sheet, Layer(LayerKind.MEMBER, key, sheet.file, keys), entry.part),
            profile,
            entry.labels,
            entry.protected,
        )

    def _claim_id(self, sheet: Sheet, keys: tuple[str, str], written: str | None) -> None:
        if written is not None:
            self.ids.claim(sheet, written, (*keys, "id"))
        elif good_id(keys[1]):
            self.ids.claim(sheet, keys[1], keys)
        else:
            sheet.fault(
                "id.format",
                Spot(keys, on_key=True),
                "This member has no id, and its key cannot be one.",
                "Write its id from the tenant, in quotes.",
            )


def _teams(pages: Pages, blocks: Blocks, profiles: Names) -> tuple[Team, ...]:
    maker, teams, agents = _Teams(blocks, profiles), [], 0
    for sheet, file in pages.all(TeamFile):
        agents += len(file.members)
        if agents > MAX_AGENTS:
            sheet.fault(
                "schema.too_many",
                Spot(("members",), on_key=True),
                f"With this team there are more than {MAX_AGENTS:,} agents.",
                "Manage them from several folders.",
            )
            break
        teams.append(maker.team(sheet, file))
    return tuple(sorted(teams, key=lambda team: team.name))


def _all_teams(pages: Pages, teams: tuple[Team, ...]) -> bool:
    """Tell whether everybody is in ``teams`` whom the files mean to declare."""
    return Kind.TEAM not in pages.incomplete and len(teams) == sum(1 for _ in pages.all(TeamFile))


def _refuse_emptiness(pages: Pages, faults: Faults) -> None:
    """A desired state that says nothing must never be taken for *remove everything*."""
    if Kind.TENANT not in pages.incomplete and not any(pages.all(TenantFile)):
        faults.add(
            Fault(
                None,
                "desired.no_tenant",
                "No file names the tenant.",
                "Write tenant.yaml with apiVersion, tenant and api.",
            )
        )
    members = any(file.members for _, file in pages.all(TeamFile))
    if Kind.TEAM not in pages.incomplete and not members:
        faults.add(
            Fault(
                None,
                "desired.empty",
                "No team has a member, and an empty desired state is not applied.",
                "Write a team file with team and members.",
            )
        )
