"""Files of overrides to overrides of the model: everybody known, somebody matched, no conflict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cxplan.core.ids import AgentKey
from cxplan.core.model import Layer, LayerKind, Match, Override, Team
from cxplan.desired.conflicts import Placed, refuse_conflicts
from cxplan.desired.content import MatchEntry, OverrideFile
from cxplan.desired.crowd import Crowd, crowd_of
from cxplan.desired.faults import Sheet, Spot
from cxplan.desired.layers import Blocks
from cxplan.desired.links import Names, Once
from cxplan.desired.overrides import NO_MATCH

MAX_OVERRIDES = 2_000
MAX_NAMED = 10_000
"""How many labels and skills all overrides name together; with the above, a bound on the work."""

_File = tuple[Sheet, OverrideFile]


def declared_overrides(
    files: Iterable[_File], blocks: Blocks, teams: tuple[Team, ...], *, complete: bool
) -> tuple[Override, ...]:
    """Return the overrides by start and name; what is wrong with them is reported.

    Where ``teams`` are not ``complete``, nobody counts as unknown.
    """
    written = list(_bounded(files))
    if not written:
        return ()
    asked = {label for _, file in written for label in file.match.pairs}
    maker = _Maker(blocks, crowd_of(teams, asked), complete=complete)
    placed = [maker.placed(sheet, file) for sheet, file in written]
    refuse_conflicts(placed, maker.crowd)
    overrides = (one.override for one in placed)
    return tuple(sorted(overrides, key=lambda override: (override.start, override.name)))


def _bounded(files: Iterable[_File]) -> Iterator[_File]:
    """Yield the files, each name once, until there are too many."""
    names, named = Once("The override", on_key=False), 0
    for found, (sheet, file) in enumerate(files, start=1):
        named += len(file.part.skills) + len(file.match.pairs)
        if found > MAX_OVERRIDES or named > MAX_NAMED:
            sheet.fault(
                "schema.too_many",
                Spot(("override",), on_key=True),
                f"With this one there are more than {MAX_OVERRIDES:,} overrides, or more than "
                f"{MAX_NAMED:,} skills and labels in them.",
                "Delete those that are over.",
            )
            return
        if names.claim(sheet, file.name, ("override",)):
            yield sheet, file


class _Maker:
    """Makes overrides of what the files say."""

    def __init__(self, blocks: Blocks, crowd: Crowd, *, complete: bool) -> None:
        self.blocks, self.crowd, self.complete = blocks, crowd, complete
        self.teams = Names("team", "schema.unknown_team", crowd.teams, complete)
        self.agents = Names(
            "agent",
            "schema.unknown_agent",
            crowd.places,
            complete,
            "Write the key of a member, not its id.",
        )

    def placed(self, sheet: Sheet, file: OverrideFile) -> Placed:
        """Return one override and whom it matches."""
        match = Match(
            frozenset(file.match.teams),
            frozenset(map(AgentKey, file.match.agents)),
            frozenset(file.match.pairs),
            frozenset(map(AgentKey, file.match.exclude)),
        )
        agents = self.crowd.matched(match)
        if self._all_known(sheet, file.match) and self.complete and not agents:
            sheet.fault(
                NO_MATCH,
                ("match",),
                "This fits nobody.",
                "Who is matched has one of the teams, agents and labels of each key, and is not "
                "excluded.",
            )
        layer = Layer(LayerKind.OVERRIDE, file.name, sheet.file, ("set",))
        block = self.blocks.block(sheet, layer, file.part)
        override = Override(
            file.name, file.start, file.end, match, block, file.reason, file.ticket, file.owner
        )
        return Placed(sheet, override, agents)

    def _all_known(self, sheet: Sheet, match: MatchEntry) -> bool:
        named = (
            ("teams", match.teams, self.teams),
            ("agents", match.agents, self.agents),
            ("exclude", match.exclude, self.agents),
        )
        known = [
            names.check(sheet, name, ("match", key, place))
            for key, written, names in named
            for place, name in enumerate(written)
        ]
        return all(known)
