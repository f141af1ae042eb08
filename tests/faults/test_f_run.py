"""F-33, F-34, F-38, F-59, F-61 … F-63, F-65, F-68: a run as a whole."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cxplan.core.document import plan_bytes, sealed
from cxplan.planfile.files import parse_plan
from cxplan.simulator.options import Options
from cxplan.simulator.rules import Moment, Rule
from cxplan.simulator.runner import Simulator
from cxplan.wiring.system import SystemClock
from tests.faults.agree import Mark, nothing
from tests.faults.scene import (
    ANY,
    EVENTS,
    TOKEN,
    Scene,
    agent,
    ids,
    nightly,
    scene,
    soon,
    spec,
)

Capture = pytest.CaptureFixture[str]
GETS = "/api/v2/agents/*"
HASTE = 20


# --- a tenant that fails ----------------------------------------------------------------------

DOWN: list[tuple[str, int, tuple[Rule, ...], int, str]] = [
    ("F-33 writes alone", 20, (Rule("PATCH", ANY, status=500),), 10, "keeps failing writes"),
    (
        "F-33 writes alone, after some",
        20,
        (Rule("PATCH", ANY, first=4, status=500),),
        5,
        "keeps failing writes",
    ),
    ("F-33 reads alone", 20, (Rule("GET", GETS, status=503),), 10, "does not answer reads"),
    (
        "F-33 reads too",
        20,
        (Rule("PATCH", ANY, status=502), Rule("GET", GETS, first=9, status=502)),
        11,
        "keeps failing",
    ),
]


ABOUT = 14
"""Those before the fault, eight that were under way, and who was on trial after each probe."""


@pytest.mark.parametrize(
    ("agents", "faults", "code", "why"), [row[1:] for row in DOWN], ids=ids(DOWN)
)
def test_the_breaker_opens_and_the_run_ends(
    tmp_path: Path, capsys: Capture, agents: int, faults: tuple[Rule, ...], code: int, why: str
) -> None:
    with scene(tmp_path, capsys, *faults, agents=agents, haste=HASTE * 4) as on:
        ran = on.apply(code=code)
        assert why in ran.bundle.lines[-1]["stopped"]
        opened = ran.bundle.kind("breaker.open")[0]
        assert opened["faults"] >= 5
        assert opened["of"] >= opened["faults"]
        assert ran.bundle.kind("breaker.close") == []
        assert ran.bundle.counts["notAttempted"] >= agents - ABOUT
        assert len(ran.log.patches) <= 24
        kinds = [line["kind"] for line in ran.bundle.lines]
        after = kinds[kinds.index("breaker.open") :]
        assert after.count("agent.attempt") <= 10


def at(line: Any) -> datetime:
    return datetime.fromisoformat(line["at"])


def test_f_34_one_first_and_then_all(tmp_path: Path, capsys: Capture) -> None:
    """While it is open a read probes and no write; then one agent alone, then the others."""
    rule = Rule("PATCH", ANY, times=6, status=500)
    with scene(tmp_path, capsys, rule, agents=14, haste=HASTE * 2) as on:
        ran = on.apply(code=0)
        assert ran.bundle.counts == {"applied": 14, "deferred": 1}
        opened, closed = ran.bundle.one("breaker.open"), ran.bundle.one("breaker.close")
        assert (at(closed) - at(opened)).total_seconds() >= 15
        tried = ran.bundle.kind("agent.attempt")
        late = [line for line in tried if at(line) >= at(opened) + timedelta(seconds=5)]
        trial, *rest = late
        assert trial["status"] == 200
        assert (at(trial) - at(opened)).total_seconds() >= 15
        assert all(at(line) >= at(closed) - timedelta(seconds=1) for line in rest)
        assert opened["i"] < trial["i"] < closed["i"]


def test_f_34_a_trial_that_fails_opens_it_again(tmp_path: Path, capsys: Capture) -> None:
    def opened() -> int:
        return sum(line["kind"] == "breaker.open" for line in on.journal())

    rule = Rule("PATCH", ANY, status=500)
    with scene(tmp_path, capsys, rule, agents=14, haste=HASTE * 2) as on:
        with soon(lambda: opened() == 2, on.mend):
            ran = on.apply(code={0, 5})
        assert all(line["faults"] >= 5 for line in ran.bundle.kind("breaker.open"))
        assert len(ran.bundle.kind("breaker.open")) == 2
        assert len(ran.bundle.kind("breaker.close")) == 1
        assert ran.bundle.lines[-1]["stopped"] is None
        assert ran.bundle.counts["applied"] >= 6


@pytest.mark.parametrize(
    "attempt", [1, *(pytest.param(n, marks=pytest.mark.nightly) for n in range(2, 21))]
)
def test_f_68_the_tenant_restarts_in_the_middle(
    tmp_path: Path, capsys: Capture, attempt: int
) -> None:
    """Five seconds without anybody at the port: nobody is lost, nobody is written twice."""
    del attempt

    def restart() -> None:
        on.on.simulator.go_down()
        time.sleep(5 / HASTE)
        on.on.simulator.come_up()

    with scene(tmp_path, capsys, agents=14, haste=HASTE) as on:
        with soon(lambda: len(on.world.changes()) >= 3, restart):
            ran = on.apply(code=0)
        assert ran.bundle.counts["applied"] + ran.bundle.counts["converged"] == 14
        assert ran.bundle.kind("breaker.open")
        assert ran.bundle.kind("breaker.close")
        assert "notSent" in {line["failure"] for line in ran.bundle.kind("agent.attempt")}


def test_f_68_the_tenant_does_not_come_back(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys, agents=24, haste=HASTE * 3) as on:
        with soon(lambda: len(on.world.changes()) >= 3, on.on.simulator.go_down):
            ran = on.apply(code={5, 11})
        assert "keeps failing" in ran.bundle.lines[-1]["stopped"]
        assert ran.bundle.counts["notAttempted"] >= 1


# --- a tenant that is not there ---------------------------------------------------------------


def test_f_38_refused(tmp_path: Path, capsys: Capture) -> None:
    """Tokens come from elsewhere, so that it is the API that cannot be reached."""
    with (
        scene(tmp_path, capsys) as on,
        Simulator.start(spec(1), Options(), SystemClock()) as elsewhere,
    ):
        on.on.environ["CXPLAN_TOKEN_URL"] = elsewhere.token_url
        on.on.simulator.go_down()
        done, log = on.refused(code=10)
        assert done.codes() == ["http.unreachable"]
        assert log.requests == ()
        assert [r.path for r in elsewhere.world.requests()] == [TOKEN]


def test_f_38_no_such_host(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def nobody(host: object, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with scene(tmp_path, capsys) as on:
        _moved_to(on, "https://tenant.example")
        monkeypatch.setattr(socket, "getaddrinfo", _unless(nobody, "127.0.0.1"))
        done, log = on.refused(code=10)
        assert done.codes() == ["http.unreachable"]
        assert asked == ["tenant.example"] * 4
        assert [r.path for r in log.requests] == [TOKEN]


def _unless(function: Any, host: str) -> Any:
    real = socket.getaddrinfo
    return lambda name, *a, **k: (real if name == host else function)(name, *a, **k)


def _moved_to(on: Scene, origin: str) -> None:
    """Make the plan one of another address, and give that."""
    path = on.on.folder / "p.json"
    plan = parse_plan(path.read_bytes(), "p.json")
    path.write_bytes(plan_bytes(sealed(replace(plan, tenant=replace(plan.tenant, origin=origin)))))
    on.on.environ["CXPLAN_API_URL"] = origin


# --- the plan ---------------------------------------------------------------------------------


def test_f_59_changed_before_it_is_read(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys) as on:
        path = on.on.folder / "p.json"
        path.write_bytes(path.read_bytes().replace(b'"after":3', b'"after":1', 1))
        done, log = on.refused(code=9)
        assert done.codes() == ["plan.digest"]
        assert log.requests == ()


@pytest.mark.parametrize("how", ["F-59 rewritten", "F-59 replaced", "F-59 gone"])
def test_the_plan_changes_after_it_was_verified(tmp_path: Path, capsys: Capture, how: str) -> None:
    """What was verified is what is executed, and what lies in the bundle."""
    with scene(tmp_path, capsys) as on:
        path = on.on.folder / "p.json"
        verified = path.read_bytes()
        other = verified.replace(b'"after":3', b'"after":1')

        def change() -> None:
            if how == "F-59 rewritten":
                path.write_bytes(other)
                return
            path.unlink()
            if how == "F-59 replaced":
                path.write_bytes(other)

        slow = Rule("POST", TOKEN, delay_ms=100)
        on.rules(slow)
        asked = len(on.world.requests())
        with soon(lambda: len(on.world.requests()) > asked, change):
            ran = on.apply(code=0)
        assert not path.exists() or path.read_bytes() != verified
        assert (ran.bundle.folder / "plan.json").read_bytes() == verified
        assert {change.after.skills[0].level for (change,) in ran.log.own.values()} == {3}
        assert ran.bundle.plan["digest"] in verified.decode()


def test_f_65_the_same_plan_again(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys) as on:
        ran = on.apply(code=0)
        done, log = on.refused(code=6)
        (error,) = done.json["errors"]
        assert error["code"] == "plan.already_applied"
        assert ran.bundle.seal["run"]["id"] in error["summary"]
        assert log.requests == ()


# --- events -----------------------------------------------------------------------------------

UNHEARD: list[tuple[str, dict[str, Any], bool]] = [
    ("F-62 503", {"status": 503}, True),
    ("F-62 500", {"status": 500}, True),
    ("F-62 no answer", {"reset": Moment.BEFORE}, True),
    ("F-62 taken, and the answer lost", {"reset": Moment.AFTER}, True),
    ("F-62 429", {"status": 429}, True),
    ("F-63 400", {"status": 400}, False),
    ("F-63 422", {"status": 422}, False),
]


@pytest.mark.parametrize(
    ("how", "again"),
    [
        *(pytest.param(*row[1:], id=row[0]) for row in UNHEARD[::3]),
        *(nightly(*row[1:], id=row[0]) for row in (*UNHEARD[1::3], *UNHEARD[2::3])),
    ],
)
def test_an_event_that_is_not_delivered(
    tmp_path: Path, capsys: Capture, how: dict[str, Any], again: bool
) -> None:
    """The write stands, the exit code too; one that may get through is tried again, to the end."""
    with scene(tmp_path, capsys, Rule("POST", EVENTS, **how), haste=HASTE * 2) as on:
        ran = on.apply(code=0)
        assert ran.bundle.counts == {"applied": 3, "deferred": 1}
        assert "Warning: 3 events could not be delivered; the changes are made." in ran.done.out
        tries = [r for r in ran.log.requests if r.path == EVENTS]
        assert len(tries) == (3 * 5 if again else 3)
        for line in ran.bundle.kind("event.outcome"):
            assert (line["state"], line["again"], line["of"]) == ("undelivered", again, None)
            assert line["status"] == how.get("status")
            assert line["failure"] == ("lost" if "reset" in how else None)


def test_f_62_an_event_that_gets_through_in_the_end(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys, Rule("POST", EVENTS, times=5, status=503)) as on:
        ran = on.apply(code=0)
        assert {line["state"] for line in ran.bundle.kind("event.outcome")} == {"delivered"}
        assert ran.log.events == {agent(n): 1 for n in (1, 2, 3)}
        assert "could not be delivered" not in ran.done.out


def test_f_62_the_next_apply_delivers_first_what_was_left(tmp_path: Path, capsys: Capture) -> None:
    """With nothing to write, too; what the next one cannot deliver either stays for the next."""
    with scene(tmp_path, capsys) as on:
        on.rules(Rule("POST", EVENTS, times=3 * 5 + 1, status=503))
        first = on.apply(code=0)
        run = first.bundle.seal["run"]["id"]
        on.edit("team.yaml", "senior", "expert", 1)
        on.plan()
        second = on.apply(code=0)
        lines = second.bundle.lines
        sent = [n for n, line in enumerate(lines) if line.get("of") == run]
        assert max(sent) < min(n for n, li in enumerate(lines) if li["kind"] == "agent.intent")
        earlier = [li for li in second.bundle.kind("event.outcome") if li["of"] == run]
        states = {li["agentId"]: li["state"] for li in earlier}
        assert sorted(states) == [agent(1), agent(2), agent(3)]
        assert sorted(states.values()) == ["delivered", "delivered", "undelivered"]
        on.plan(changes=False)
        third = on.apply(code=0)
        assert third.bundle.kind("agent.intent") == []
        last = third.bundle.one("event.outcome")
        assert (last["state"], last["of"]) == ("delivered", run)
        assert states[last["agentId"]] == "undelivered"
        on.plan(changes=False)
        mark = Mark.of(on.on)
        assert on.on.cxplan("apply", "p.json").code == 0
        assert nothing(on.watched, mark).requests == ()


def test_f_63_what_was_refused_is_not_sent_again(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys) as on:
        on.rules(Rule("POST", EVENTS, times=3, status=422))
        on.apply(code=0)
        on.plan(changes=False)
        mark = Mark.of(on.on)
        assert on.on.cxplan("apply", "p.json").code == 0
        assert nothing(on.watched, mark).requests == ()
