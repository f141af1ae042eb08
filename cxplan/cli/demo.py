"""demo: the whole story in one go, on a simulated tenant, over real HTTP."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cxplan.cli.options import command
from cxplan.cli.session import Result, Session
from cxplan.core.errors import Exit, InvalidError

if TYPE_CHECKING:
    from cxplan.cli.story import Cast
    from cxplan.simulator.runner import Simulator

KEY = "signing-key.pem"
PLAN = "plan.json"
AUDIT = "audit"
TAMPERED = "audit-tampered"


def demo(session: Session) -> Result:
    """Tell the whole story on a simulated tenant.

    Plan, another admin in between, apply, verify, a tampered copy: with real HTTP on this machine
    only; no other host is asked. The files stay in a folder that is named at the end.
    """
    from cxplan.cli.story import Cast, prologue
    from cxplan.core.resolve import resolve
    from cxplan.wiring import edges, simulators, system

    declarations = edges.read_declarations(session.settings, edges.desired_source(session.settings))
    cast = Cast(declarations, resolve(declarations).agents)
    now = system.SystemClock().now()
    tenant = prologue(simulators.spec_of(declarations, cast.agents, now), cast, now)
    folder = _folder(session)
    with simulators.start(tenant) as simulator:
        story = _Story(_inside(session, folder, simulator), cast, simulator, folder)
        return Result(story.tell())


def _folder(session: Session) -> Path:
    try:
        folder = Path(tempfile.mkdtemp(prefix="cxplan-demo-", dir=session.settings.folder))
    except OSError as error:
        raise InvalidError(
            f"Cannot make a folder here: {error.strerror}.",
            code="path.unwritable",
            hint="Run the demo in a folder that can be written, or give one with --chdir.",
        ) from None
    shutil.copytree(session.settings.desired, folder / "desired")
    return folder


def _inside(session: Session, folder: Path, simulator: Simulator) -> Session:
    """Return a session that works in ``folder`` against the simulator."""
    settings = replace(
        session.settings,
        folder=folder,
        desired=folder / "desired",
        audit=folder / AUDIT,
        signing_key=folder / KEY,
        api_url=simulator.api_url,
        token_url=simulator.token_url,
        ca_bundle=None,
        proxy=None,
        json=False,
    )
    environ = {
        "PATH": session.environ.get("PATH", ""),
        "CXONE_CLIENT_ID": simulator.client_id,
        "CXONE_CLIENT_SECRET": simulator.client_secret,
    }
    return Session(settings, environ, replace(session.screen, json=False))


@dataclass(frozen=True, slots=True)
class _Story:
    """The chapters; each runs what the command of that name runs."""

    session: Session
    cast: Cast
    simulator: Simulator
    folder: Path

    def tell(self) -> Exit:
        """Tell all chapters; anything that does not end as the story says is a failure."""
        count = len(self.cast.agents)
        self._say(f"A simulated tenant with {count} agents listens on {self.simulator.api_url}.")
        self._generate()
        self._plan("1. What would change?", Exit.BLOCKED)
        self._meddle()
        self._apply()
        self._verify()
        self._tamper()
        self._plan("6. What is left?", Exit.BLOCKED)
        self._accept()
        self._plan("7. And now?", Exit.OK)
        self._say(f"All files of this story are in {self.folder}")
        return Exit.OK

    def _generate(self) -> None:
        from cxplan.cli.keys import generate

        generate(self.session, KEY)

    def _plan(self, title: str, expected: Exit) -> None:
        from cxplan.cli.planning import plan

        self._title(title, f"cxplan plan -o {PLAN}")
        self._show(plan(self.session, PLAN), expected)

    def _meddle(self) -> None:
        """Somebody else changes two agents after the plan was made."""
        from cxplan.cli.story import CONFLICT, UNRELATED

        world, cast = self.simulator.world, self.cast
        key, skill, level = CONFLICT
        world.foreign_change(cast.agent(key), skill=cast.skill(skill), level=cast.level(level))
        other, unmanaged = UNRELATED
        world.foreign_change(cast.agent(other), skill=cast.skill(unmanaged), level=9)
        self._title("2. Meanwhile, another admin works by hand", None)
        self._say(f"  {key}: {skill} set to {level}, a value that the plan would write.")
        self._say(f"  {other}: {unmanaged} assigned, which the files do not manage.")

    def _apply(self) -> None:
        from cxplan.cli.applying import apply

        self._title("3. Do exactly what the plan says", f"cxplan apply {PLAN}")
        self._show(apply(self.session, PLAN, auto_approve=False), Exit.PARTIAL)

    def _verify(self) -> None:
        from cxplan.cli.auditing import verify

        self._title("4. Is the evidence whole?", "cxplan audit verify")
        self._show(verify(self.session, (), (), None), Exit.OK)

    def _tamper(self) -> None:
        """Change one byte in a copy of the ledger and verify that."""
        from cxplan.cli.auditing import verify

        copy = self.folder / TAMPERED
        shutil.copytree(self.folder / AUDIT, copy)
        records = next(copy.glob("*/records.jsonl"))
        records.write_bytes(records.read_bytes().replace(b'"applied"', b'"Applied"', 1))
        session = replace(self.session, settings=replace(self.session.settings, audit=copy))
        self._title(
            "5. And a copy in which one letter was changed?",
            f"cxplan audit verify --audit {TAMPERED}",
        )
        self._show(verify(session, (), (), None), Exit.AUDIT)

    def _accept(self) -> None:
        """The team settles what is left in the files: two lines."""
        from cxplan.cli.story import ACCEPTED, DEFERRED

        self._say("The team keeps the other admin's level and lowers the limit: two lines of YAML.")
        for name, before, after in ACCEPTED:
            path = self.folder / "desired" / name
            path.write_text(path.read_text("utf-8").replace(before, after), "utf-8")
            self._say(f"  {name}: {before}  →  {after}")
        self._say(f"{DEFERRED} is off shift; the change waits for the shift, which is no error.")

    def _title(self, title: str, shown_command: str | None) -> None:
        self._say("\n" + self.session.paint.strong(title))
        if shown_command:
            self._say(self.session.paint.faint(f"$ {shown_command}"))
        self._say("")

    def _show(self, result: Result, expected: Exit) -> None:
        self.session.screen.data(result.text)
        self.session.screen.talk(result.after)
        self._say(self.session.paint.faint(f"(exit code {result.exit.value})"))
        if result.exit is not expected:
            raise InvalidError(
                f"The story did not go as written: exit code {result.exit.value} in place of "
                f"{expected.value}.",
                code="demo.story",
                hint="If desired/ was edited, restore it; otherwise report this output.",
            )

    def _say(self, text: str) -> None:
        self.session.screen.data(text + "\n")


COMMANDS = {"demo": command("demo", demo)}
