"""A ledger in memory across several runs: what they wrote, settled and can be taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cxplan.core.due import past_of
from cxplan.core.evidence import Head, RunStory
from cxplan.core.history import confirmed, history_of
from cxplan.core.instant import utc_text
from cxplan.core.pastrun import PastRun, past_run
from cxplan.core.plan import Plan
from cxplan.core.scope import Scope
from tests.usecases.fake import FakeLedger, Stage

DUE = Scope(only_due=True)
Lines = list[dict[str, Any]]


@dataclass
class Chronicle:
    """A stage on which one run follows another; each is remembered like a sealed one."""

    stage: Stage
    runs: list[Lines] = field(default_factory=list)

    def wait(self, hours: float) -> None:
        self.stage.clock.seconds += hours * 3600

    def apply(self, **asked: Any) -> Plan:
        """Plan and apply; a run is kept only where something was ready."""
        plan = self.stage.planned(**asked)
        self.execute(plan)
        return plan

    def tick(self) -> Plan:
        """What a timer does."""
        return self.apply(scope=DUE)

    def execute(self, plan: Plan) -> None:
        self.stage.ledger = FakeLedger()
        self.stage.apply(plan)
        if self.stage.ledger.run is not None:
            at = {"at": utc_text(self.stage.clock.now())}
            self.runs.append([line | at for line in self.stage.journal.lines])
        self._remember()

    def run(self, number: int = -1) -> PastRun:
        """A run as it can be taken back."""
        index = number % len(self.runs)
        head = Head("ledger", index, "0" * 64, f"run-{index}", "folder", "", "", "", 0, {})
        lines: tuple[Mapping[str, Any], ...] = tuple(self.runs[index])
        return past_run(RunStory(head, "", "acme-demo", lines, "https://api.example"))

    def take_back(self, number: int = -1) -> Plan:
        return self.apply(back=self.run(number))

    def _remember(self) -> None:
        self.stage.past = past_of(self.runs)
        self.stage.history = history_of(
            found
            for index, lines in enumerate(self.runs)
            for line in lines
            if (found := confirmed(line, f"run-{index}", lines[0]["rollback"])) is not None
        )
