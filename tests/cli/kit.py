"""A folder with a desired state and a key, a simulated tenant, and the command line on both."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cxplan.audit.keygen import generate_key
from cxplan.cli.app import run
from cxplan.simulator.options import Options
from cxplan.simulator.runner import Simulator
from cxplan.simulator.seed import random_spec
from cxplan.simulator.spec import TenantSpec
from cxplan.wiring.system import SystemClock

TENANT_YAML = """\
apiVersion: cxplan/v1
tenant: test
api: availability-v2
levels:
  best: 1
  worst: 20
  names: {expert: 1, senior: 3, standard: 5}
"""


@dataclass(frozen=True)
class Done:
    """What one command left on the screen."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def codes(self) -> list[str]:
        """The codes of the errors in the JSON."""
        return [error["code"] for error in self.json["errors"]]


@dataclass
class Bench:
    """The command line in one folder, against one tenant."""

    folder: Path
    simulator: Simulator
    capsys: pytest.CaptureFixture[str]
    environ: dict[str, str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    def cxplan(self, *arguments: str) -> Done:
        """Run one command in this process; whatever it prints is kept."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environ.items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            self.capsys.readouterr()
            code = run(list(arguments))
        out, err = self.capsys.readouterr()
        self.seen.append(out + err)
        return Done(code, out, err)

    def write(self, files: Mapping[str, str]) -> None:
        """Write files of the desired state."""
        for name, text in files.items():
            path = self.folder / "desired" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")

    def patches(self) -> list[Any]:
        """The PATCHes that reached the tenant, as it logged them."""
        return [entry for entry in self.simulator.world.requests() if entry.method == "PATCH"]

    def bundle(self) -> Path:
        """The only sealed bundle."""
        (found,) = [
            path
            for path in (self.folder / "audit").iterdir()
            if path.is_dir() and not path.name.endswith(".open")
        ]
        return found

    def records(self) -> list[Any]:
        """The lines of the only bundle's journal."""
        text = (self.bundle() / "records.jsonl").read_text("ascii")
        return [json.loads(line) for line in text.splitlines()]


@contextmanager
def bench(
    folder: Path,
    spec: TenantSpec,
    capsys: pytest.CaptureFixture[str],
    options: Options | None = None,
) -> Iterator[Bench]:
    """Give a bench whose files are still to be written."""
    (folder / "desired").mkdir()
    generate_key(folder / "signing-key.pem")
    with Simulator.start(spec, options or Options(), SystemClock()) as simulator:
        environ = {
            "CXONE_CLIENT_ID": simulator.client_id,
            "CXONE_CLIENT_SECRET": simulator.client_secret,
            "CXPLAN_API_URL": simulator.api_url,
            "CXPLAN_TOKEN_URL": simulator.token_url,
            "CXPLAN_SIGNING_KEY": "signing-key.pem",
        }
        yield Bench(folder, simulator, capsys, environ)


def random_tenant(agents: int, seed: int) -> TenantSpec:
    return random_spec(agents, seed, datetime.now(UTC))


def catalogue(spec: TenantSpec) -> dict[str, str]:
    """The tenant's skills and modes as files."""
    skills = "".join(
        f'  {skill.name}: {{id: "{skill.id}", maxConcurrent: {skill.maximum}}}\n'
        for skill in spec.skills
    )
    modes = "".join(
        f'  {mode.name.lower().replace(" ", "-")}: {{id: "{mode.id}", category: {mode.category}}}\n'
        for mode in spec.modes
    )
    return {
        "tenant.yaml": TENANT_YAML,
        "catalogue/skills.yaml": f"skills:\n{skills}",
        "catalogue/work-modes.yaml": f"workModes:\n{modes}",
        "guards.yaml": "guards:\n  maxAgentsChanged: off\n  maxSkillsRemoved: off\n",
    }


def random_files(spec: TenantSpec, seed: int) -> dict[str, str]:
    """Files that want something else of many agents, the same, or nothing."""
    draw = random.Random(seed)
    names = {skill.id: skill.name for skill in spec.skills}
    modes = [mode.name.lower().replace(" ", "-") for mode in spec.modes]
    lines = ["team: Everybody", "members:"]
    for agent in spec.agents:
        lines.append(f"  {agent.id}:")
        parts = [f"    id: {json.dumps(agent.id)}"]
        if draw.random() < 0.3:
            parts.append(f"    workMode: {draw.choice(modes)}")
        wanted = []
        for held in agent.skills:
            pick = draw.random()
            if pick < 0.3:
                level = held.level or 7
                wanted.append(f"      {names[held.skill_id]}: {level}")
            elif pick < 0.45:
                wanted.append(f"      {names[held.skill_id]}: {draw.randint(1, 20)}")
            elif pick < 0.5:
                wanted.append(
                    f"      {names[held.skill_id]}: {draw.choice(['disabled', 'absent'])}"
                )
        if draw.random() < 0.2:
            unheld = sorted(set(names) - {held.skill_id for held in agent.skills})
            wanted.append(f"      {names[draw.choice(unheld)]}: standard")
        if wanted:
            parts += ["    skills:", *wanted]
        lines += parts
    return catalogue(spec) | {"teams/everybody.yaml": "\n".join(lines) + "\n"}
