"""A client that may only read can plan; what it lacks is named, and the role that grants it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxplan.simulator.options import SCOPES, Options
from cxplan.simulator.rules import Rule
from tests.bad.kit import TOKEN, Stage, everybody, people, stage

FIVE = ("1001", "1002", "1003", "1004", "1005")
READING = ("agent:read", "skill:read", "wfm:read")
NAMELESS = Rule("POST", TOKEN, merge={"scope": None})
"""Some deployments grant a token and do not say what it is for."""

ROLES = {
    "agent:read": "Agent Management",
    "skill:read": "Agent Management",
    "wfm:read": "Workforce Management",
    "agent:write": "Agent Management",
}


def planned(on: Stage) -> None:
    done = on.run("plan", "-o", "p.json", "-v", writes=("p.json",))
    assert done.code == 0, done.out + done.err
    assert "1 agent to change" in done.out


def assert_named(on: Stage, scope: str, *arguments: str) -> None:
    """The command ends with 7 and says which scope is missing, and which role has it."""
    done = on.run(*arguments, "--json", writes=("audit",))
    assert (done.code, done.codes()) == (7, ["auth.scope"])
    (error,) = done.json["errors"]
    assert scope in error["summary"]
    assert arguments[0] in error["summary"]
    assert ROLES[scope] in error["hint"]
    shown = on.run(*arguments, "-v", writes=("audit",))
    assert shown.code == 7
    assert scope in shown.err
    assert ROLES[scope] in shown.err
    assert on.on.simulator.world.changes() == ()


def test_a_client_that_may_only_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with stage(tmp_path, capsys, options=Options(scopes=READING)) as on:
        planned(on)
        assert_named(on, "agent:write", "apply", "p.json")
        assert_named(on, "agent:write", "apply", "--auto-approve")
        assert on.on.patches() == []
        assert not list((on.on.folder / "audit").glob("*/"))


@pytest.mark.parametrize("scope", READING)
def test_a_client_that_may_not_even_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], scope: str
) -> None:
    rest = tuple(one for one in SCOPES if one != scope)
    with stage(tmp_path, capsys, options=Options(scopes=rest)) as on:
        assert_named(on, scope, "plan")


def test_a_token_that_does_not_say_it_may_not_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three writes that are all forbidden tell it, and the run ends there."""
    options = Options(scopes=READING, faults=(NAMELESS,))
    with stage(tmp_path, capsys, spec=people(FIVE), files=everybody(FIVE), options=options) as on:
        assert on.run("plan", "-o", "p.json", writes=("p.json",)).code == 0
        done = on.run("apply", "p.json", writes=("audit",))
        assert done.code == 7
        assert "Apply stopped" in done.out
        assert "Agent Management" in done.out
        assert "agent:write" in done.out
        assert 3 <= len(on.on.patches()) <= len(FIVE)
        assert on.on.simulator.world.changes() == ()


@pytest.mark.parametrize("scope", ["agent:read", "skill:read"])
def test_a_token_that_does_not_say_it_may_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], scope: str
) -> None:
    rest = tuple(one for one in SCOPES if one != scope)
    options = Options(scopes=rest, faults=(NAMELESS,))
    with stage(tmp_path, capsys, spec=people(FIVE), files=everybody(FIVE), options=options) as on:
        assert_named(on, scope, "plan")
