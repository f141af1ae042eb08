"""The comparison of bundle and tenant finds what it is there to find."""

from __future__ import annotations

import copy
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cxplan.simulator.records import RequestEntry
from cxplan.simulator.rules import Moment, Rule
from tests.faults.agree import Bundle, Log, Mark, Witness, agree, ended, reported, same
from tests.faults.process import running, until
from tests.faults.scene import agent, scene, write

Capture = pytest.CaptureFixture[str]
Lines = list[Any]
Lie = Callable[[Any], Lines]
"""What becomes of a line: itself, another one, two, or nothing."""


def drop(kind: str, number: int) -> tuple[str, int, Lie]:
    return kind, number, lambda _: []


def double(kind: str, number: int) -> tuple[str, int, Lie]:
    return kind, number, lambda line: [line, line]


def change(kind: str, number: int, **values: Any) -> tuple[str, int, Lie]:
    return kind, number, lambda line: [line | values]


def told_otherwise(lines: Lines, kind: str, number: int, lie: Lie) -> Lines:
    about = {"kind": kind, "agentId": agent(number)}
    return [
        each for line in lines for each in (lie(line) if about.items() <= line.items() else [line])
    ]


def agrees(bundle: Bundle, log: Log, witness: Witness) -> bool:
    try:
        same(bundle, log, witness)
    except (AssertionError, ValueError, KeyError):
        return False
    return True


LIES: list[tuple[str, tuple[str, int, Lie]]] = [
    ("no intent", drop("agent.intent", 1)),
    ("an intent with another tag", change("agent.intent", 1, ifMatch='"x"')),
    ("no outcome", drop("agent.outcome", 1)),
    ("two outcomes", double("agent.outcome", 1)),
    ("applied and said to have failed", change("agent.outcome", 1, outcome="failed")),
    ("converged and said to be a conflict", change("agent.outcome", 2, outcome="conflict")),
    ("not written and said to be applied", change("agent.outcome", 3, outcome="applied")),
    ("another new state", change("agent.outcome", 1, newState={"workModeId": "m", "skills": []})),
    ("another tag", change("agent.outcome", 1, etagAfter='"x"')),
    ("an attempt that is not told", drop("agent.attempt", 1)),
    ("an attempt that never was", double("agent.attempt", 3)),
    ("an event that is not told", drop("event.intent", 1)),
    ("an event that has no end", drop("event.outcome", 1)),
    ("a line before its time", change("agent.outcome", 1, at="2020-01-01T00:00:00.000Z")),
]


@pytest.fixture
def told(tmp_path: Path, capsys: Capture) -> Any:
    """A run with one agent applied, one converged and one rejected, that agrees."""
    lost = Rule("PATCH", write(2), times=1, reset=Moment.AFTER)
    refused = Rule("PATCH", write(3), status=422)
    with scene(tmp_path, capsys, lost, refused) as on:
        ran = on.apply(code=5)
        assert [ran.outcome(n) for n in (1, 2, 3)] == ["applied", "converged", "rejected"]
        yield ran, on.watched.witness


def test_every_lie_is_found(told: Any) -> None:
    ran, witness = told
    assert agrees(ran.bundle, ran.log, witness)
    lines = ran.bundle.lines
    missed = [
        what
        for what, lie in LIES
        if agrees(replace(ran.bundle, lines=told_otherwise(lines, *lie)), ran.log, witness)
    ]
    assert missed == []


def test_what_only_the_tenant_knows_is_found(told: Any) -> None:
    ran, witness = told
    first = ran.log.own[agent(1)][0]
    stranger = replace(first, after=replace(first.after, id=agent(3)))
    rest = tuple(c for c in ran.log.changes if c.agent_id != agent(1))
    other = replace(first.after, work_mode="m-training")
    worlds: list[tuple[Log, Witness]] = [
        (replace(ran.log, changes=(*ran.log.changes, first)), witness),
        (replace(ran.log, changes=(*ran.log.changes, stranger)), witness),
        (replace(ran.log, changes=rest), witness),
        (replace(ran.log, changes=(replace(first, after=other), *rest)), witness),
        (replace(ran.log, requests=(*ran.log.requests, ran.sent(1)[0])), witness),
        (ran.log, late(witness, ran.sent(1)[0])),
    ]
    assert [agrees(ran.bundle, log, seen) for log, seen in worlds] == [False] * len(worlds)


def late(witness: Witness, patch: RequestEntry) -> Witness:
    """As if the intent had come to the disk only after its PATCH had arrived."""
    found = copy.copy(witness)
    found.intents = witness.intents | {patch.sequence: set()}
    return found


def test_a_report_or_an_exit_code_that_differs_is_found(told: Any) -> None:
    ran, _ = told
    ended(ran.bundle, ran.done)
    reported(ran.bundle, ran.done)
    with pytest.raises(AssertionError):
        ended(ran.bundle, replace(ran.done, code=0))
    with pytest.raises(AssertionError):
        reported(ran.bundle, replace(ran.done, out=ran.done.out.replace("complete", "stopped")))
    seal = ran.bundle.seal | {"summary": {"applied": 4}}
    with pytest.raises(AssertionError):
        ended(replace(ran.bundle, seal=seal), ran.done)


def test_a_run_that_was_killed_agrees_as_far_as_it_came(tmp_path: Path, capsys: Capture) -> None:
    with scene(tmp_path, capsys, agents=12, haste=1) as on:
        mark = Mark.of(on.on)
        with running(on, "apply", "p.json") as run:
            until(lambda: len(on.world.changes()) == 3)
            run.send(signal.SIGKILL)
            done = run.ended()
        bundle, log = agree(on.watched, done, mark, sealed=False)
        assert isinstance(bundle, Bundle)
        assert 3 <= len(log.own) <= 4
