"""A plan that no longer holds is refused with what moved, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import sleep

import pytest

from cxplan.simulator.options import Options
from cxplan.simulator.runner import Simulator
from cxplan.wiring.system import SystemClock
from tests.cli.kit import TENANT_YAML, Bench
from tests.cli.scenes import KEPT, asked, guards, members, override, planned
from tests.cli.small import FILES, small, spec

ONE = "{agents: [one]}"
PEAK = override("CHG-1", 1, 9, "{skills: {chat: expert}}", ONE)


@pytest.fixture
def on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    """A plan in ``p.json``, of files with guards and an override that is to come."""
    with small(tmp_path, capsys) as made:
        made.write(PEAK | guards("maxAgentsChanged: {percent: 1, orAtLeast: 9, atMost: 9}"))
        assert made.cxplan("plan", "-o", "p.json").code == 0
        yield made


def refused(on: Bench, code: int, reason: str) -> str:
    """Apply; nothing reaches the tenant, and the hint is to plan again."""
    before, written = asked(on), len(on.patches())
    done = on.cxplan("apply", "p.json", "--json")
    assert (done.code, done.codes()) == (code, [reason])
    assert asked(on) == before
    assert len(on.patches()) == written
    (error,) = done.json["errors"]
    assert "Run cxplan plan again" in error["hint"]
    summary: str = error["summary"]
    return summary


Edit = Callable[[Bench], None]


def writes(files: dict[str, str]) -> Edit:
    return lambda on: on.write(files)


def replaces(name: str, old: str, new: str) -> Edit:
    def edit(on: Bench) -> None:
        path = on.folder / "desired" / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return edit


def moves(name: str, to: str) -> Edit:
    def edit(on: Bench) -> None:
        (on.folder / "desired" / name).rename(on.folder / "desired" / to)

    return edit


OTHER = {
    "a value": replaces("team.yaml", "voice: senior", "voice: expert"),
    "a value that is not written": writes(
        members(one='{id: "agent-1", skills: {voice: senior, chat: standard}}')
    ),
    "a member is gone": writes(members(two=None)),
    "a member is new": writes(members(four='{id: "agent-4"}')),
    "an id": replaces("team.yaml", "agent-3", "agent-9"),
    "a protection": replaces("team.yaml", '"agent-1",', '"agent-1", protected: true,'),
    "a guard": replaces("guards.yaml", "orAtLeast: 9", "orAtLeast: 8"),
    "a guard is off": writes(guards("maxAgentsChanged: off")),
    "a freeze to come": writes(
        guards(
            "maxAgentsChanged: {percent: 1, orAtLeast: 9, atMost: 9}",
            'freeze: [{name: x, from: "2099-01-01T00:00:00Z", until: "2099-02-01T00:00:00Z"}]',
        )
    ),
    "an override's value": replaces("overrides/CHG-1.yaml", "chat: expert", "chat: senior"),
    "whom an override is for": replaces("overrides/CHG-1.yaml", "[one]", "[two]"),
    "an override's end": writes(override("CHG-1", 1, 8, "{skills: {chat: expert}}", ONE)),
    "an override's reason": replaces("overrides/CHG-1.yaml", "reason: peak", "reason: other"),
    "an override is new": writes(override("CHG-2", 5, 6, "{skills: {voice: 9}}")),
    "the scale": writes({"tenant.yaml": TENANT_YAML.replace("worst: 20", "worst: 30")}),
    "a category": replaces("modes.yaml", "category: unavailable", "category: offline"),
    "a catalogue's limit": replaces("catalogue.yaml", "maxConcurrent: 4", "maxConcurrent: 5"),
    "who follows the shift": replaces("team.yaml", "members:", "workMode: scheduled\nmembers:"),
    "who is exclusive": replaces("team.yaml", "members:", "exclusive: true\nmembers:"),
}


@pytest.mark.parametrize("what", OTHER)
def test_files_that_mean_something_else(on: Bench, what: str) -> None:
    OTHER[what](on)
    assert on.cxplan("validate").code == 0
    assert refused(on, 6, "plan.stale_config") == (
        "The desired state has changed since the plan was made."
    )


SAME = {
    "a comment": replaces("team.yaml", "members:", "members:  # of the team\n# and a line"),
    "a level's name": replaces("team.yaml", "voice: senior", "voice: 3"),
    "another style": replaces(
        "team.yaml",
        f"  one:   {KEPT['one']}",
        "  one:\n    id: agent-1\n    skills:\n      voice:\n        level: 3",
    ),
    "another order": replaces(
        "team.yaml",
        f"  one:   {KEPT['one']}\n  two:   {KEPT['two']}\n",
        f"  two:   {KEPT['two']}\n  one:   {KEPT['one']}\n",
    ),
    "another file": moves("team.yaml", "elsewhere.yaml"),
    "a value in another layer": writes(
        {
            "profile.yaml": "profile: p\nskills: {chat: {concurrent: 3}}\n",
            "team.yaml": FILES["team.yaml"].replace(
                "skills: {chat: {concurrent: 3}}", "profile: p"
            ),
        }
    ),
    "a guard's default": replaces(
        "guards.yaml", "guards:\n", "guards:\n  noAgentWithoutSkill: deny\n"
    ),
}


@pytest.mark.parametrize("what", SAME)
def test_files_that_mean_the_same_are_the_same(on: Bench, what: str) -> None:
    before = planned(on)["source"]["digest"]
    SAME[what](on)
    assert planned(on)["source"]["digest"] == before
    on.environ["CXONE_CLIENT_SECRET"] = "wrong"  # stops an apply right after its own checks
    assert on.cxplan("apply", "p.json").code == 7


def test_a_plan_of_which_the_time_is_over(on: Bench) -> None:
    plan = planned(on, "--valid-for", "1s", "-o", "p.json")
    expires = datetime.fromisoformat(plan["expiresAt"])
    assert (expires - datetime.fromisoformat(plan["createdAt"])).total_seconds() == 1
    sleep(max(0.0, (expires - datetime.now(UTC)).total_seconds()))
    assert refused(on, 9, "plan.expired") == f"The plan expired at {plan['expiresAt']}."


def test_a_plan_lasts_a_day_unless_it_is_said(on: Bench) -> None:
    def hours(*arguments: str) -> float:
        plan = planned(on, *arguments)
        ends, made = (datetime.fromisoformat(plan[key]) for key in ("expiresAt", "createdAt"))
        return (ends - made).total_seconds() / 3600

    assert hours() == 24
    assert hours("--valid-for", "90m") == 1.5
    assert hours("--valid-for", "2d") == 48


def test_a_plan_that_was_applied_before(on: Bench) -> None:
    assert on.cxplan("apply", "p.json").code == 0
    run = on.bundle().name.partition("-")[2]
    assert refused(on, 6, "plan.already_applied") == f"The plan was applied before, by run {run}."
    assert len(on.patches()) == 3


def test_a_plan_of_another_address(on: Bench) -> None:
    """A second tenant, the same in everything but its address."""
    with Simulator.start(spec(), Options(), SystemClock()) as other:
        on.environ |= {
            "CXONE_CLIENT_ID": other.client_id,
            "CXONE_CLIENT_SECRET": other.client_secret,
            "CXPLAN_API_URL": other.api_url,
            "CXPLAN_TOKEN_URL": other.token_url,
        }
        done = on.cxplan("apply", "p.json", "--json")
        assert (done.code, done.codes()) == (9, ["plan.tenant"])
        assert f"this is {other.api_url} " in done.json["errors"][0]["summary"]
        assert other.world.changes() == ()
    assert on.patches() == []
