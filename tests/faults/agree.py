"""The tenant's change log and the bundle, held against each other entirely after every apply.

Each change that we made at the tenant has exactly one agent, whose intent with that very If-Match
was on disk when the PATCH arrived; each ``applied`` or ``converged`` is what the tenant has; no
agent has two outcomes; the outcomes are those of the plan's agents; counts and exit code are the
same in the journal, in the seal, in the report and of the process; no secret stands in any file.
"""

from __future__ import annotations

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cxplan.core.errors import Exit
from cxplan.simulator.records import Actor, AgentState, ChangeEntry, RequestEntry
from cxplan.simulator.runner import Simulator
from tests.bad.conditions import assert_no_secret
from tests.bad.kit import token
from tests.cli.kit import Bench, Done

LANDED = frozenset({"applied", "converged"})
OPEN_SUFFIX = ".open"
TOKEN = "/oauth/token"
UNAUTHORIZED = 401
LEFT = "while this agent was written"
UNSENT = {"notSent", "certificate"}
"""Failures of an attempt that never reached the tenant."""


class Witness:
    """Looks, whenever a PATCH reaches the tenant, at which intents are on the client's disk."""

    def __init__(self, simulator: Simulator, audit: Path) -> None:
        self._audit = audit
        self._log = simulator.world.log_request
        self.intents: dict[int, set[tuple[str, str]]] = {}
        """Agent and If-Match of every intent on disk, by the sequence of the PATCH."""
        setattr(simulator.world, "log_request", self.log_request)  # noqa: B010 - one world's own

    def log_request(self, entry: RequestEntry) -> None:
        if entry.method == "PATCH" and entry.sequence not in self.intents:
            self.intents[entry.sequence] = set(self._on_disk())
        self._log(entry)

    def _on_disk(self) -> Iterable[tuple[str, str]]:
        for path in self._audit.glob(f"*{OPEN_SUFFIX}/records.jsonl"):
            for line in whole_lines(path.read_bytes()):
                if line["kind"] == "agent.intent":
                    yield line["agentId"], line["ifMatch"]


def whole_lines(data: bytes) -> list[Any]:
    """The complete lines of a journal."""
    return [json.loads(line) for line in data[: data.rfind(b"\n") + 1].splitlines()]


@dataclass(frozen=True)
class Mark:
    """Where the logs and the ledger stood when a command began."""

    sequence: int
    folders: frozenset[str]

    @classmethod
    def of(cls, on: Bench) -> Mark:
        world = on.simulator.world
        numbers = [r.sequence for r in world.requests()]
        numbers += [c.sequence for c in world.changes()] + [e.sequence for e in world.events()]
        return cls(max(numbers, default=0), frozenset(folders(on)))


def folders(on: Bench) -> list[str]:
    """The runs in the ledger, sealed or not."""
    audit = on.folder / "audit"
    return sorted(path.name for path in audit.glob("0*")) if audit.exists() else []


@dataclass(frozen=True)
class Log:
    """What happened at the tenant since a mark."""

    requests: tuple[RequestEntry, ...]
    changes: tuple[ChangeEntry, ...]
    events: Counter[str]
    states: Mapping[str, Mapping[str, AgentState]]
    """Every state that an agent was ever in, by its tag."""

    @classmethod
    def since(cls, on: Bench, mark: Mark) -> Log:
        world = on.simulator.world
        states: dict[str, dict[str, AgentState]] = defaultdict(dict)
        for state in (
            *world.agents(),
            *(s for c in world.changes() for s in (c.before, c.after)),
        ):
            states[state.id][state.etag] = state
        return cls(
            tuple(r for r in world.requests() if r.sequence > mark.sequence),
            tuple(c for c in world.changes() if c.sequence > mark.sequence),
            Counter(e.agent_id for e in world.events() if e.sequence > mark.sequence),
            states,
        )

    @property
    def own(self) -> dict[str, list[ChangeEntry]]:
        """Our changes by agent."""
        found: dict[str, list[ChangeEntry]] = defaultdict(list)
        for change in self.changes:
            if change.actor is Actor.API:
                found[change.agent_id].append(change)
        return found

    @property
    def patches(self) -> list[RequestEntry]:
        """The PATCHes, in the order of their arrival."""
        return [r for r in self.requests if r.method == "PATCH"]

    @property
    def tokens(self) -> int:
        """How often a token was asked for."""
        return sum(r.path == TOKEN for r in self.requests)


@dataclass(frozen=True)
class Bundle:
    """A run's folder; ``seal`` is the predicate of its statement, None where it is unsealed."""

    folder: Path
    lines: list[Any]
    plan: Any
    seal: Any = None

    @classmethod
    def read(cls, folder: Path) -> Bundle:
        sealed = folder / "statement.dsse.json"
        return cls(
            folder,
            whole_lines((folder / "records.jsonl").read_bytes()),
            json.loads((folder / "plan.json").read_bytes()),
            _predicate(sealed) if sealed.exists() else None,
        )

    def kind(self, kind: str, agent_id: str | None = None) -> list[Any]:
        """The lines of a kind, of one agent where it is named."""
        found = [line for line in self.lines if line["kind"] == kind]
        return [line for line in found if agent_id in {None, line.get("agentId")}]

    def one(self, kind: str, agent_id: str | None = None) -> Any:
        """The only line of a kind."""
        (line,) = self.kind(kind, agent_id)
        return line

    @property
    def outcomes(self) -> dict[str, str]:
        return {line["agentId"]: line["outcome"] for line in self.kind("agent.outcome")}

    @property
    def counts(self) -> Counter[str]:
        """How many agents ended how."""
        return Counter(self.outcomes.values())


def _predicate(path: Path) -> Any:
    envelope = json.loads(path.read_bytes())
    return json.loads(base64.b64decode(envelope["payload"]))["predicate"]


@dataclass
class Tenant:
    """A bench whose tenant is watched."""

    on: Bench
    witness: Witness = field(init=False)

    def __post_init__(self) -> None:
        self.witness = Witness(self.on.simulator, self.on.folder / "audit")


def agree(watched: Tenant, done: Done, mark: Mark, *, sealed: bool = True) -> tuple[Bundle, Log]:
    """Hold the one bundle of a command against the tenant's log, and return both."""
    on, log = watched.on, Log.since(watched.on, mark)
    (name,) = set(folders(on)) - mark.folders
    assert name.endswith(OPEN_SUFFIX) is not sealed
    bundle = Bundle.read(on.folder / "audit" / name)
    same(bundle, log, watched.witness)
    if sealed:
        ended(bundle, done)
        said(bundle, on)
        reported(bundle, done)
    verified(on, bundle)
    no_secret(on)
    return bundle, log


def same(bundle: Bundle, log: Log, witness: Witness) -> None:
    """What the journal says happened at the tenant is what happened there."""
    _intents_before(bundle, log, witness)
    _in_time(bundle)
    _outcomes(bundle, log)
    _attempts(bundle, log)
    _events(bundle, log)


def nothing(watched: Tenant, mark: Mark) -> Log:
    """Hold that a command left no bundle and wrote nothing to the tenant."""
    log = Log.since(watched.on, mark)
    assert log.patches == []
    assert not log.own
    assert log.events == {}
    assert set(folders(watched.on)) == mark.folders
    no_secret(watched.on)
    return log


def _intents_before(bundle: Bundle, log: Log, witness: Witness) -> None:
    """Each PATCH that arrived, and so each change, had its intent on disk by then."""
    for patch in log.patches:
        assert (patch.agent_id, patch.if_match) in witness.intents[patch.sequence]
    intended = {
        (line["agentId"], line["ifMatch"]): line["desired"] for line in bundle.kind("agent.intent")
    }
    for agent_id, changes in log.own.items():
        (change,) = changes
        desired = intended[agent_id, change.before.etag]
        after = _state(change.after)
        assert after["workModeId"] == desired["workModeId"]
        assert all(skill in after["skills"] for skill in desired["skills"])


def _in_time(bundle: Bundle) -> None:
    """The times of an agent's lines go forward, where nobody set the clock back."""
    if bundle.kind("clock.gap"):
        return
    for agent_id in bundle.outcomes:
        times = [line["at"] for line in bundle.lines if line.get("agentId") == agent_id]
        assert times == sorted(times), agent_id


def _outcomes(bundle: Bundle, log: Log) -> None:
    """One outcome for each agent of the plan, and each true at the tenant."""
    sealed = bundle.seal is not None
    told = [line["agentId"] for line in bundle.kind("agent.outcome")]
    assert len(set(told)) == len(told), "an agent has two outcomes"
    planned = {entry["agent"]["id"]: entry for entry in bundle.plan["agents"]}
    assert set(told) == planned.keys() if sealed else set(told) <= planned.keys()
    for line in bundle.kind("agent.outcome"):
        agent_id, changes = line["agentId"], log.own.get(line["agentId"], [])
        if line["outcome"] in LANDED:
            _landed(line, changes, log.states[agent_id], planned[agent_id])
        elif line["outcome"] != "unknown":
            assert changes == [], f"{agent_id} is {line['outcome']} and was changed"
    if sealed:
        assert log.own.keys() <= {
            agent for agent, outcome in bundle.outcomes.items() if outcome in {*LANDED, "unknown"}
        }


def _landed(
    line: Any, changes: list[ChangeEntry], states: Mapping[str, AgentState], planned: Any
) -> None:
    """The recorded new state is one that the tenant had, and everything planned stands in it."""
    new, tag = line["newState"], line["etagAfter"]
    if line["outcome"] == "applied":
        (change,) = changes
        assert tag in {change.after.etag, None}
        assert new == _state(change.after)
    else:
        assert new == _state(states[tag])
    for change in planned["changes"]:
        assert _value(new, change["path"]) == change["after"], change["path"]


def _state(state: AgentState) -> dict[str, Any]:
    skills = sorted(state.skills, key=lambda held: held.skill_id)
    return {
        "workModeId": state.work_mode,
        "skills": [
            {"skillId": s.skill_id, "level": s.level, "concurrentInteractions": s.concurrent}
            for s in skills
        ],
    }


def _value(state: Any, path: str) -> Any:
    if path == "workMode":
        return state["workModeId"]
    _, name, part = path.split("/")
    member = {"level": "level", "concurrent": "concurrentInteractions"}[part]
    (skill,) = (s for s in state["skills"] if s["skillId"] == f"s-{name}")
    return skill[member]


def _attempts(bundle: Bundle, log: Log) -> None:
    """What was sent and what is recorded are the same, but for what nobody waited for.

    A write that is lost may be one that never arrived.
    """
    sent = Counter(p.agent_id for p in log.patches if p.status != UNAUTHORIZED)
    told = [a for a in bundle.kind("agent.attempt") if a["failure"] not in UNSENT]
    arrived = Counter(a["agentId"] for a in told if a["failure"] != "lost")
    left = {o["agentId"] for o in bundle.kind("agent.outcome") if LEFT in o["message"]}
    unsettled = {i["agentId"] for i in bundle.kind("agent.intent")} - bundle.outcomes.keys()
    for agent_id in sent.keys() | arrived.keys():
        if agent_id not in left | unsettled:
            most = sum(a["agentId"] == agent_id for a in told)
            assert arrived[agent_id] <= sent[agent_id] <= most, agent_id
    for line in bundle.kind("agent.outcome"):
        attempts = len(bundle.kind("agent.attempt", line["agentId"]))
        unanswered = line["metrics"]["attempts"] - attempts
        assert unanswered == 0 or (line["agentId"] in left and unanswered == 1)


def _events(bundle: Bundle, log: Log) -> None:
    """An event for each write that landed and for no other, told as it went."""
    for line in bundle.kind("event.outcome"):
        if line["state"] == "delivered":
            assert log.events[line["agentId"]] >= 1
    own = {line["agentId"] for line in bundle.kind("event.intent") if line["of"] is None}
    landed = {agent for agent, outcome in bundle.outcomes.items() if outcome in LANDED}
    if bundle.seal is not None:
        assert own == landed
        ended = [(e["of"], e["agentId"]) for e in bundle.kind("event.outcome")]
        begun = [(e["of"], e["agentId"]) for e in bundle.kind("event.intent")]
        assert sorted(map(str, begun)) == sorted(map(str, ended))


def ended(bundle: Bundle, done: Done) -> None:
    """Counts and exit code: process, journal and seal say the same."""
    end, seal = bundle.lines[-1], bundle.seal
    assert end["kind"] == "run.end"
    assert end["exit"] == seal["run"]["exit"]["code"] == done.code
    assert seal["run"]["exit"]["word"] == Exit(done.code).word
    assert end["counts"] == seal["summary"] == dict(bundle.counts)
    assert sum(bundle.counts.values()) == len(bundle.plan["agents"])


def said(bundle: Bundle, on: Bench) -> None:
    """What every bundle has, whatever happened."""
    seal, start = bundle.seal, bundle.lines[0]
    assert seal["tool"]["name"] == "cxplan"
    assert seal["tool"]["version"]
    assert (seal["target"]["tenant"], seal["target"]["baseUrl"]) == ("test", on.simulator.api_url)
    assert seal["plan"]["id"] == bundle.plan["planId"]
    assert seal["plan"]["semanticDigest"] == bundle.plan["semanticDigest"]
    assert start["kind"] == "run.start"
    assert start["filesDigest"] == bundle.plan["source"]["digest"]
    assert start.keys() >= {"commit", "runUrl"}
    assert datetime.fromisoformat(start["clock"]["wall"]).tzinfo is not None
    assert isinstance(start["clock"]["monotonicMs"], int)
    assert start["clock"]["serverDate"]


def reported(bundle: Bundle, done: Done) -> None:
    """What was printed is what was recorded."""
    if not done.out:
        return
    if not done.out.startswith("{"):
        stopped = bundle.lines[-1]["stopped"]
        assert (f"Apply stopped: {stopped}" if stopped else "Apply complete: ") in done.out
        return
    report = done.json
    assert report["exit"] == bundle.seal["run"]["exit"]
    assert {k: n for k, n in report["summary"].items() if n} == dict(bundle.counts)
    assert {a["agent"]["id"]: a["outcome"] for a in report["agents"]} == bundle.outcomes
    assert report["bundle"] == f"audit/{bundle.folder.name}"
    assert report["runId"] == bundle.seal["run"]["id"]


def verified(on: Bench, bundle: Bundle) -> None:
    """The bundle verifies; an unsealed run is the one thing that is wrong with the ledger."""
    done = on.cxplan("audit", "verify", "--json")
    codes = [failure["code"] for failure in done.json["failures"]]
    assert (done.code, codes) == ((0, []) if bundle.seal else (12, ["audit.unsealed"]))


def no_secret(on: Bench) -> None:
    """Neither the client's secret nor a token stands in what was printed or written."""
    issued = sum(r.path == TOKEN for r in on.simulator.world.requests())
    secrets = (on.simulator.client_secret, *(token(n) for n in range(1, issued + 1)))
    produced = "".join(on.seen).encode()
    for path in on.folder.rglob("*"):
        if path.is_file() and path.name != "signing-key.pem":
            produced += path.read_bytes()
    assert_no_secret(produced, secrets)
