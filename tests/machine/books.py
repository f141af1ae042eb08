"""Journals in memory, and a ledger that keeps them: what is in ``lines`` is on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cxplan.core.errors import EvidenceError
from cxplan.core.evidence import Closing, Head, Opening, RunStory, VerifyReport
from cxplan.core.ids import AgentId
from cxplan.core.instant import utc_millis
from cxplan.core.outbox import INTENT, OUTCOME, Undelivered, undelivered
from cxplan.ports import CutRun
from tests.machine.script import Play


@dataclass
class Journal:
    """A run of one plan."""

    id: str
    plan_id: str
    plan: bytes
    play: Play
    """The script that runs while it is written."""
    heard: Callable[[Journal, dict[str, Any]], None]
    """Is told of each line before it is there."""
    opened: bool = False
    lines: list[dict[str, Any]] = field(default_factory=list)
    sealed: Closing | None = None

    def record(self, kind: str, fields: Mapping[str, Any]) -> None:
        line = {"kind": kind, "at": utc_millis(self.play.clock.now())} | dict(fields)
        agent = fields.get("agentId")
        self.play.at(f"{kind}<", agent)
        self.play.record(lambda: self._append(line))
        self.play.at(f"{kind}>", agent)

    def _append(self, line: dict[str, Any]) -> None:
        self.heard(self, line)
        self.lines.append(line)

    def seal(self, closing: Closing) -> Head:
        self.play.at("seal<")
        self.play.record(lambda: None)
        self.sealed = closing
        self.play.at("seal>")
        place = ("folder", "", "", self.plan_id)
        return Head("ledger", 1, "0" * 64, self.id, *place, closing.exit, closing.summary)

    @property
    def records(self) -> tuple[dict[str, Any], ...]:
        return tuple(self.lines)

    def again(self, fields: Mapping[str, Any]) -> None:
        self.record("recovery.start", fields)

    def of(self, kind: str, agent: AgentId | None = None) -> tuple[dict[str, Any], ...]:
        """The lines of one kind, or those about one agent."""
        return tuple(
            line
            for line in self.lines
            if line["kind"] == kind and agent in {None, line.get("agentId")}
        )

    @property
    def waits(self) -> bool:
        """Whether the breaker is open, so that agents wait for one another."""
        kinds = [line["kind"] for line in self.lines if line["kind"].startswith("breaker.")]
        return kinds[-1:] == ["breaker.open"]


@dataclass
class Books:
    """``ports.Ledger``: every run, the last of them sealed or not."""

    heard: Callable[[Journal, dict[str, Any]], None]
    play: Play
    """The script of the apply that goes on."""
    journals: list[Journal] = field(default_factory=list)
    session: int = 0
    """Counts the commands that wrote to a run."""

    @property
    def unsealed(self) -> Journal | None:
        last = self.journals[-1] if self.journals else None
        return last if last and last.sealed is None else None

    @property
    def running(self) -> tuple[str, int]:
        """The id of the run that goes on, and which command goes on with it."""
        return self.journals[-1].id, self.session

    def journal(self, run: str) -> Journal:
        return next(journal for journal in reversed(self.journals) if journal.id == run)

    @contextmanager
    def lock(self, *, plan_id: str, unsealed: bool = False) -> Iterator[None]:
        del plan_id
        if self.unsealed is not None and not unsealed:
            raise EvidenceError("A run in the ledger is unsealed.", code="audit.open")
        yield

    def applied(self, plan_id: str) -> str | None:
        written = (j for j in self.journals if j.sealed and j.of("agent.intent"))
        return next((j.id for j in written if j.plan_id == plan_id), None)

    def prepare(self) -> None:
        """The key is good."""

    def begin(self, opening: Opening, plan: bytes) -> Journal:
        self.session += 1
        journal = Journal(opening.run_id, opening.plan_id, plan, self.play, self.heard)
        self.journals.append(journal)
        self.play.at("open<")
        journal.opened = True
        self.play.at("open>")
        return journal

    def undelivered(self) -> tuple[Undelivered, ...]:
        kinds = {INTENT, OUTCOME}
        return undelivered(
            (journal.id, [line for line in journal.lines if line["kind"] in kinds])
            for journal in self.journals
            if journal.sealed is not None
        )

    def cut_off(self) -> Sequence[str]:
        return () if self.unsealed is None else (self.unsealed.id,)

    def reopen(self, run: str) -> CutRun | None:
        journal = self.unsealed
        assert journal is not None
        assert journal.id == run
        if not journal.opened:
            self.journals.remove(journal)
            return None
        self.session += 1
        journal.play = self.play
        return journal

    def runs(self) -> Iterator[Head]:
        return iter(())

    def story(self, run: str) -> RunStory:
        raise NotImplementedError

    def verify(self, runs: Sequence[str] = (), *, expect_head: str | None = None) -> VerifyReport:
        raise NotImplementedError
