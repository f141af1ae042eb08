"""Which agents and changes a plan is asked about.

An expression is ``team:NAME``, ``agent:KEY``, ``label:K=V`` or ``skill:NAME``; a comma says *or*.
The first three choose agents with all their changes, ``skill:`` chooses single changes. Several
expressions count together: a change must be chosen by every ``only`` and by no ``exclude``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from cxplan.core.errors import InvalidError
from cxplan.core.ids import AgentId
from cxplan.core.model import Declarations, Member, Team

FORMS = "team:NAME, agent:KEY, label:K=V or skill:NAME"
MOST = 100_000
"""So many choices at most, however they are written."""


@dataclass(frozen=True, slots=True)
class Atom:
    """One choice: its kind and what it names."""

    kind: str
    name: str

    def __str__(self) -> str:
        """Return it as it was written."""
        return f"{self.kind}:{self.name}"


Expression = tuple[Atom, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """What was asked for; with nothing in it, everything."""

    only: tuple[Expression, ...] = ()
    exclude: tuple[Expression, ...] = ()
    this_change: bool = False
    """Whether only agents are planned whose desired values differ from those of the base."""
    only_due: bool = False
    """Whether only what time alone changed, or a run deferred, is planned; see ``core.due``."""

    @property
    def partial(self) -> bool:
        """Whether something can be left out."""
        return bool(self.only or self.exclude or self.this_change or self.only_due)


@dataclass(frozen=True, slots=True)
class Choice:
    """What of an agent is chosen: the changes of these skills, or all but those of others."""

    skills: frozenset[str] | None = None
    without: frozenset[str] = frozenset()

    def takes(self, path: str) -> bool:
        """Tell whether the change at ``path`` is chosen."""
        skill = path.removeprefix("skills/").rpartition("/")[0]
        return (self.skills is None or skill in self.skills) and skill not in self.without


EVERYTHING = Choice()
WHOLE = Scope()


def choices(scope: Scope, declarations: Declarations) -> Mapping[AgentId, Choice]:
    """Return what is chosen of each agent of which something is."""
    chooser = _Chooser(tuple(map(_sets, scope.only)), tuple(map(_sets, scope.exclude)))
    found = {}
    for team in declarations.teams:
        for member in team.members:
            choice = chooser.choice(team, member)
            if choice is not None:
                found[member.id] = choice
    return found


def refuse_nobody(scope: Scope, chosen: Mapping[AgentId, Choice]) -> None:
    """Refuse expressions that together choose nobody: an empty plan would look like a good one.

    Raises:
        InvalidError: they do.
    """
    if (scope.only or scope.exclude) and not chosen:
        flags = " and ".join(
            flag for flag, given in (("--only", scope.only), ("--exclude", scope.exclude)) if given
        )
        raise InvalidError(
            f"{flags} choose nobody.",
            code="scope.nobody",
            hint="--only given twice means and, a comma means or; --exclude takes away from both.",
        )


@dataclass(frozen=True, slots=True)
class _Sets:
    """An expression by kinds: a file of choices may name as many agents as there are."""

    teams: frozenset[str]
    agents: frozenset[str]
    labels: frozenset[str]
    skills: frozenset[str]

    def fits(self, team: Team, member: Member) -> bool:
        """Tell whether it chooses this agent as a whole."""
        if team.name in self.teams or member.key in self.agents:
            return True
        carried = {**team.labels, **member.labels} if self.labels else {}
        return any(f"{name}={value}" in self.labels for name, value in carried.items())


def _sets(expression: Expression) -> _Sets:
    named = (
        frozenset(atom.name for atom in expression if atom.kind == kind)
        for kind in ("team", "agent", "label", "skill")
    )
    return _Sets(*named)


@dataclass(frozen=True, slots=True)
class _Chooser:
    only: tuple[_Sets, ...]
    exclude: tuple[_Sets, ...]

    def choice(self, team: Team, member: Member) -> Choice | None:
        if any(sets.fits(team, member) for sets in self.exclude):
            return None
        without = frozenset[str]().union(*(sets.skills for sets in self.exclude))
        narrowed = [sets.skills for sets in self.only if not sets.fits(team, member)]
        if not narrowed:
            return Choice(without=without) if without else EVERYTHING
        skills = frozenset.intersection(*narrowed)
        return Choice(skills, without) if skills - without else None


# --- reading --------------------------------------------------------------------------------


def expressions(
    flag: str, written: Iterable[Sequence[str]], declarations: Declarations
) -> tuple[Expression, ...]:
    """Return the expressions of a flag, each given as its choices, every name known to the files.

    Raises:
        InvalidError: a form that is none, a name that the files do not know, or too many.
    """
    known = _Known(declarations)
    return tuple(_expression(flag, parts, known) for parts in written)


def split(text: str) -> list[str]:
    """Return the choices of an expression on the command line; a comma parts them."""
    return [part.strip() for part in text.split(",")]


def listed(lines: Iterable[str]) -> list[str]:
    """Return the choices of a file, one a line and with any comma; blanks and comments are none."""
    stripped = (line.strip() for line in lines)
    return [line for line in stripped if line and not line.startswith("#")]


class _Known:
    """The names that a choice may use."""

    def __init__(self, declarations: Declarations) -> None:
        teams = declarations.teams
        self.names: dict[str, frozenset[str]] = {
            "team": frozenset(team.name for team in teams),
            "agent": frozenset(member.key for team in teams for member in team.members),
            "label": frozenset(
                f"{name}={value}"
                for team in teams
                for labels in (team.labels, *(member.labels for member in team.members))
                for name, value in labels.items()
            ),
            "skill": frozenset(declarations.skills),
        }
        self.keys: dict[str, str] = {m.id: m.key for team in teams for m in team.members}


def _expression(flag: str, parts: Sequence[str], known: _Known) -> Expression:
    if len(parts) > MOST:
        raise InvalidError(
            f"{flag} names more than {MOST:,} things.",
            code="scope.tooMany",
            hint="Choose by team or label.",
        )
    return tuple(_atom(flag, part, known) for part in parts)


def _atom(flag: str, text: str, known: _Known) -> Atom:
    kind, colon, name = text.partition(":")
    if not colon or kind not in known.names or not name:
        raise InvalidError(
            f"{flag} takes {FORMS}, not {text!r}.",
            code="scope.form",
            hint=f"Write for example {flag} 'team:Billing East,agent:a.okafor'.",
        )
    if name not in known.names[kind]:
        raise InvalidError(
            f"{flag}: the files know no {kind} {name!r}.",
            code="scope.unknown",
            hint=_meant(flag, kind, name, known),
        )
    return Atom(kind, name)


def _meant(flag: str, kind: str, name: str, known: _Known) -> str:
    if any(each.startswith(f"{name},") for each in known.names[kind]):
        return f"A name with a comma goes into a file, for {flag} @FILE."
    if kind == "agent" and name in known.keys:
        return f"That is the id of {known.keys[name]}; write {flag} 'agent:{known.keys[name]}'."
    near = get_close_matches(name, sorted(known.names[kind]), 3)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"Names are those of the files; one with a comma goes into a file, for {flag} @FILE."
