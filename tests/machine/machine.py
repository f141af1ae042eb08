"""The machine: people change files and tenant, plans are made and applied, and everything fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from cxplan.core.errors import TenantError
from cxplan.core.ids import AgentId, SkillName, WorkModeName
from cxplan.core.model import Declarations, LayerKind, Match, Override, SkillSetting
from cxplan.core.plan import Plan
from cxplan.core.rules import GuardSettings
from tests.core.make import NOW, block, declarations, member, team
from tests.machine import draws
from tests.machine.engine import RIGHT, Bench, Engine
from tests.machine.laws import Broken, check_changes, check_claims, check_order, check_told
from tests.machine.script import Deliver, Edit, Replan, Script, Wait, interfere
from tests.machine.world import Shape, World

Want = tuple[AgentId, SkillName | None, Any]
Meanwhile = Edit | Replan | Wait | Deliver


class ApplyMachine(RuleBasedStateMachine):
    """(tenant, other admins, faults, lost and late answers, crashes) around the real engine."""

    engine: ClassVar[Engine] = RIGHT
    seen: ClassVar[Counter[str]] = Counter()
    """What happened, over all runs of the machine in this process."""
    law: ClassVar[str | None] = None
    """The only law that is asked for; None for all."""

    plans = Bundle("plans")
    bench: Bench

    @initialize(
        shapes=st.tuples(*[draws.shapes] * len(draws.KEYS)),
        on_shift=st.tuples(*[draws.on_shift] * len(draws.KEYS)),
        guards=draws.guards,
        override=draws.overrides,
    )
    def begin(
        self,
        shapes: tuple[Shape, ...],
        on_shift: tuple[str | None, ...],
        guards: GuardSettings,
        override: tuple[str, int, int] | None,
    ) -> None:
        files = declarations(team(*(member(key) for key in draws.KEYS)))
        files = replace(files, guards=guards, overrides=_override(override))
        world = World(dict(zip(draws.AGENTS, shapes, strict=True)), lambda _run, _agent: ())
        world.on_shift |= zip(draws.AGENTS, on_shift, strict=True)
        self.bench = Bench(self.engine, world, files)

    # --- people -------------------------------------------------------------------------------

    @rule(act=st.one_of(draws.others, draws.waits, draws.deliveries))
    def meanwhile(self, act: Meanwhile) -> None:
        self._meanwhile(act)

    def _meanwhile(self, act: Meanwhile) -> None:
        match act:
            case Edit() | Replan():
                interfere(self.bench.world, act)
            case Wait(seconds=seconds):
                self.bench.clock.sleep(seconds)
            case Deliver(which=which):
                self.bench.world.deliver(which)

    # --- the engine ---------------------------------------------------------------------------

    @rule(target=plans, wants=st.lists(draws.wants, max_size=3), script=draws.while_planning)
    def plan(self, wants: list[Want], script: Script) -> Any:
        self._want(wants)
        try:
            return self.bench.plan(script), self.bench.files
        except TenantError:
            return multiple()

    @rule(kept=plans, same_files=st.booleans(), script=draws.scripts)
    def apply(self, kept: tuple[Plan, Declarations], same_files: bool, script: Script) -> None:
        """A plan of before: its tenant, and perhaps its files, are others by now."""
        plan, files = kept
        if same_files:
            self.bench.files = files
        self._after(lambda: self.bench.apply(plan, script))

    @precondition(lambda self: self.bench.books.unsealed is None)
    @rule(
        wants=st.lists(draws.wants, min_size=1, max_size=4),
        meanwhile=st.lists(st.one_of(draws.others, draws.waits, draws.waits), max_size=2),
        script=draws.scripts,
    )
    def plan_and_apply(self, wants: list[Want], meanwhile: list[Meanwhile], script: Script) -> None:
        self._plan_and_apply(wants, meanwhile, script)

    @precondition(lambda self: self.bench.books.unsealed is None)
    @rule(wants=st.lists(draws.wants, min_size=1, max_size=4), script=draws.scripts)
    def plan_and_apply_at_once(self, wants: list[Want], script: Script) -> None:
        self._plan_and_apply(wants, (), script)

    @precondition(lambda self: self.bench.books.unsealed is None)
    @rule(wants=st.lists(draws.wants, min_size=1, max_size=4), script=draws.before_a_crash)
    def crash(self, wants: list[Want], script: Script) -> None:
        self._plan_and_apply(wants, (), script)

    @precondition(lambda self: self.bench.books.unsealed is None)
    @rule(
        wants=st.lists(draws.wants, min_size=1, max_size=4),
        script=draws.with_a_write_open,
        resumption=draws.resumptions,
    )
    def crash_and_resume(self, wants: list[Want], script: Script, resumption: Script) -> None:
        self._plan_and_apply(wants, (), script)
        if self.bench.books.unsealed is not None:
            self.resume(resumption)

    def _want(self, wants: Iterable[Want]) -> None:
        for want in wants:
            self.bench.files = wanting(self.bench.files, want)

    def _plan_and_apply(
        self, wants: Iterable[Want], meanwhile: Iterable[Meanwhile], script: Script
    ) -> None:
        self._want(wants)
        self.bench.world.gone.clear()
        plan = self.bench.plan()
        for act in meanwhile:
            self._meanwhile(act)
        self._after(lambda: self.bench.apply(plan, script))

    def _after(self, command: Callable[[], object]) -> None:
        bench = self.bench
        told = len(bench.reports)
        command()
        with self._asked():
            for journal, report in bench.reports[told:]:
                check_told(bench, journal, report)
            if bench.books.unsealed is not None:
                check_order(bench.books.unsealed)

    @precondition(lambda self: self.bench.books.unsealed is not None)
    @rule(script=draws.recoveries)
    def recover(self, script: Script) -> None:
        self._after(lambda: self.bench.recover(script))

    @precondition(lambda self: self.bench.books.unsealed is not None)
    @rule(script=draws.resumptions)
    def resume(self, script: Script) -> None:
        self._after(lambda: self.bench.resume(script))

    # --- what holds ---------------------------------------------------------------------------

    @contextmanager
    def _asked(self) -> Iterator[None]:
        try:
            yield
        except Broken as broken:
            if self.law in {None, broken.law}:
                raise

    @invariant()
    def changes(self) -> None:
        with self._asked():
            check_changes(self.bench)

    @invariant()
    def claims(self) -> None:
        with self._asked():
            check_claims(self.bench)

    def teardown(self) -> None:
        """Whatever is still under way arrives at last."""
        if not hasattr(self, "bench"):
            return
        while self.bench.world.under_way:
            self.bench.world.deliver(0)
        self.changes()
        self.claims()
        self.seen.update(self.bench.happened())


def _override(drawn: tuple[str, int, int] | None) -> tuple[Override, ...]:
    """At most one, which ends while plans are applied."""
    if drawn is None:
        return ()
    key, seconds, level = drawn
    values = block(LayerKind.OVERRIDE, "o", {"voice": level})
    end = NOW + timedelta(seconds=seconds)
    match = Match(agents=frozenset({member(key).key}))
    return (Override("o", NOW - timedelta(hours=1), end, match, values, reason="peak"),)


def wanting(files: Declarations, want: Want) -> Declarations:
    """The files with one value of one agent another."""
    agent, skill, value = want
    (only,) = files.teams
    members = list(only.members)
    number = next(i for i, m in enumerate(members) if m.id == agent)
    old = members[number].block
    if skill is None:
        new = replace(old, work_mode=WorkModeName(value) if value else None)
    else:
        assert isinstance(value, SkillSetting)
        new = replace(old, skills={**old.skills, skill: value})
    members[number] = replace(members[number], block=new)
    return replace(files, teams=(replace(only, members=tuple(members)),))
