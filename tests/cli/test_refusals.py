"""What is refused before anything is written: exit code, words, and a tenant left alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cxplan.core.document import plan_bytes, sealed
from cxplan.planfile.files import parse_plan
from tests.cli.kit import Bench, Done
from tests.cli.small import planned, small


@pytest.fixture
def on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> object:
    with small(tmp_path, capsys) as made:
        yield made
        assert made.patches() == []
        assert not list((tmp_path / "audit").glob("0*")) if (tmp_path / "audit").exists() else True


def requests(on: Bench) -> int:
    return len(on.simulator.world.requests())


def test_a_wrong_secret(on: Bench) -> None:
    on.environ["CXONE_CLIENT_SECRET"] = "wrong"
    done = on.cxplan("plan")
    assert done.code == 7
    assert done.out == ""
    assert "wrong" not in done.err


def test_missing_credentials_are_named_all_at_once(on: Bench) -> None:
    del on.environ["CXONE_CLIENT_SECRET"], on.environ["CXONE_CLIENT_ID"]
    done = on.cxplan("plan")
    assert done.code == 7
    assert "CXONE_CLIENT_ID, CXONE_CLIENT_SECRET" in done.err


def test_a_tenant_that_is_not_there(on: Bench) -> None:
    on.simulator.go_down()
    done = on.cxplan("plan", "-o", "p.json", "--json")
    assert done.code == 10
    assert done.json["exit"] == {"code": 10, "word": "unavailable"}
    assert not (on.folder / "p.json").exists()
    on.simulator.come_up()


def test_malformed_yaml_in_three_files_is_reported_all_at_once(on: Bench) -> None:
    on.write(
        {"a.yaml": "team: A\nmembers: [\n", "b.yaml": "team: B\nteam: C\n", "c.yaml": "x: &a 1\n"}
    )
    done = on.cxplan("plan", "--json")
    assert done.code == 3
    places = [(e["file"], e["line"]) for e in done.json["errors"]]
    assert {file for file, _ in places} >= {"a.yaml", "b.yaml", "c.yaml"}
    assert all(line >= 1 for _, line in places)
    text = on.cxplan("plan").err
    assert all(f"{file}:{line}:" in text for file, line in places)
    assert requests(on) == 0


def _altered(on: Bench) -> Path:
    planned(on)
    path = on.folder / "p.json"
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(bytes(data))
    return path


def test_a_plan_file_with_one_byte_changed(on: Bench) -> None:
    _altered(on)
    done = on.cxplan("apply", "p.json", "--json")
    assert done.code == 9
    assert done.codes() == ["plan.digest"]
    assert on.cxplan("show", "p.json").code == 9


def test_every_97th_byte_of_a_plan_file(on: Bench) -> None:
    planned(on)
    whole = (on.folder / "p.json").read_bytes()
    for at in range(0, len(whole), 97):
        data = bytearray(whole)
        data[at] ^= 1
        (on.folder / "p.json").write_bytes(bytes(data))
        done = on.cxplan("show", "p.json", "--json")
        assert (done.code, done.codes()) == (9, ["plan.digest"]), at


def test_apply_when_nobody_can_be_asked(on: Bench) -> None:
    done = on.cxplan("apply")
    assert done.code == 9
    assert "--auto-approve" in done.err
    assert requests(on) == 0


@pytest.mark.parametrize("key", [None, "not-there.pem"])
def test_apply_without_a_key(on: Bench, key: str | None) -> None:
    planned(on)
    before = requests(on)
    del on.environ["CXPLAN_SIGNING_KEY"]
    if key is not None:
        on.environ["CXPLAN_SIGNING_KEY"] = key
    done = on.cxplan("apply", "p.json")
    assert done.code == 9
    assert "cxplan keys generate" in done.err
    assert requests(on) == before


def _rewritten(on: Bench, **values: object) -> Done:
    """Apply a plan that is intact in itself, and says something else than the one that was made."""
    planned(on)
    plan = parse_plan((on.folder / "p.json").read_bytes(), "p.json")
    changed = sealed(replace(plan, **values))  # type: ignore[arg-type]  # by name
    (on.folder / "p.json").write_bytes(plan_bytes(changed))
    return on.cxplan("apply", "p.json", "--json")


def test_a_plan_of_another_tenant(on: Bench) -> None:
    planned(on)
    plan = parse_plan((on.folder / "p.json").read_bytes(), "p.json")
    done = _rewritten(on, tenant=replace(plan.tenant, origin="https://other.example"))
    assert (done.code, done.codes()) == (9, ["plan.tenant"])
    done = _rewritten(on, tenant=replace(plan.tenant, name="other"))
    assert (done.code, done.codes()) == (9, ["plan.tenant"])


def test_a_plan_that_has_expired(on: Bench) -> None:
    planned(on)
    plan = parse_plan((on.folder / "p.json").read_bytes(), "p.json")
    done = _rewritten(on, expires_at=plan.created_at)
    assert (done.code, done.codes()) == (9, ["plan.expired"])


def test_files_that_mean_something_else_now(on: Bench) -> None:
    planned(on)
    team = on.folder / "desired" / "team.yaml"
    team.write_text("# only a comment\n" + team.read_text())
    assert _reaches_the_tenant(on)
    team.write_text(team.read_text().replace("concurrent: 3", "concurrent: 4"))
    done = on.cxplan("apply", "p.json", "--json")
    assert (done.code, done.codes()) == (6, ["plan.stale_config"])


def _reaches_the_tenant(on: Bench) -> bool:
    """Tell whether apply gets past its own checks: a wrong secret stops it right after them."""
    secret, on.environ["CXONE_CLIENT_SECRET"] = on.environ["CXONE_CLIENT_SECRET"], "wrong"
    done = on.cxplan("apply", "p.json")
    on.environ["CXONE_CLIENT_SECRET"] = secret
    return done.code == 7


@pytest.mark.parametrize(
    ("guards", "guard"),
    [
        ("maxAgentsChanged: {percent: 0, orAtLeast: 2, atMost: 2}", "maxAgentsChanged"),
        ("maxSkillsRemoved: {percent: 0, orAtLeast: 0, atMost: 0}", "maxSkillsRemoved"),
        ("noAgentWithoutSkill: deny", "noAgentWithoutSkill"),
    ],
)
def test_a_guard_that_denies_shows_the_plan_and_writes_nothing(
    on: Bench, guards: str, guard: str
) -> None:
    team = on.folder / "desired" / "team.yaml"
    if guard != "maxAgentsChanged":
        off = '{id: "agent-2", skills: {voice: disabled, chat: absent}}'
        team.write_text(team.read_text().replace('{id: "agent-2", skills: {voice: senior}}', off))
    on.write({"guards.yaml": f"guards:\n  {guards}\n"})
    done = on.cxplan("plan", "-o", "p.json")
    assert done.code == 4
    assert "Plan: 3 agents to change" in done.out
    assert f"Guard {guard} denies" in done.out
    applied = on.cxplan("apply", "p.json", "--json")
    assert (applied.code, applied.codes()) == (4, ["guard.denied"])
    assert on.cxplan("apply", "--auto-approve").code == 4


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["plan", "--no-such-flag"], 3, "usage"),
        (["plan", "--concurrency", "0"], 3, "usage.range"),
        (["plan", "--concurrency", "abc"], 3, "usage.range"),
        (["plan", "--concurrency", "1000000000"], 3, "usage.range"),
        (["plan", "--tenant", "other"], 3, "policy.tenant"),
        (["plan", "--desired", "nowhere"], 3, "path.missing"),
        (["plan", "-o", "desired"], 3, "path.type"),
        (["plan", "--api-url", "http://example.com"], 3, "http.scheme"),
        (["show", "nowhere.json"], 3, "path.type"),
        (["show", "desired/team.yaml"], 9, "plan.digest"),
        (["show", "desired"], 3, "path.type"),
        (["apply", "p.json", "--auto-approve"], 3, "usage"),
        (["no-such-command"], 3, "usage"),
    ],
)
def test_usage_is_code_3_and_json_says_so(
    on: Bench, arguments: list[str], code: int, error: str
) -> None:
    done = on.cxplan(*arguments, "--json")
    assert (done.code, done.codes()) == (code, [error]), done.out
    assert done.json["exit"]["code"] == code
    assert done.err == ""
    assert requests(on) == 0


def test_an_unknown_variable_is_a_typing_error(on: Bench) -> None:
    on.environ["CXPLAN_SIGNIN_KEY"] = "x"
    done = on.cxplan("validate", "--json")
    assert (done.code, done.codes()) == (3, ["env.unknown"])
    assert "CXPLAN_SIGNING_KEY" in done.json["errors"][0]["hint"]


def test_api_admin_is_refused_with_a_sentence(on: Bench) -> None:
    tenant = on.folder / "desired" / "tenant.yaml"
    tenant.write_text(tenant.read_text().replace("availability-v2", "admin"))
    done = on.cxplan("plan", "--json")
    assert (done.code, done.codes()) == (3, ["language.unsupported"])


def test_the_output_of_a_plan_is_never_half_there(on: Bench) -> None:
    (on.folder / "p.json").symlink_to(on.folder / "elsewhere.json")
    done = on.cxplan("plan", "-o", "p.json", "--json")
    assert (done.code, done.codes()) == (3, ["path.type"])
    assert not (on.folder / "elsewhere.json").exists()
    assert json.loads(done.out)["kind"] == "cxplan/plan"
