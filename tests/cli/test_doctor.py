"""doctor: each thing that can be wrong alone, several at once, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from cxplan.core.errors import EvidenceError, Exit
from cxplan.core.health import Check, LedgerRuns, State
from cxplan.simulator.options import SCOPES, Options
from cxplan.simulator.rules import Rule
from cxplan.usecases.doctor.ledger import LITTLE_ROOM, ledger_checks
from tests.bad.certificates import authority
from tests.bad.conditions import assert_no_secret, tree
from tests.bad.kit import token
from tests.cli.kit import TENANT_YAML, Bench, Done, bench
from tests.cli.small import FILES, planned, small, spec

ALL = (
    "settings",
    "desired",
    "address.api",
    "address.token",
    "clock",
    "credentials",
    "scopes",
    "read.lists",
    "read.agent",
    "read.schedule",
    "key",
    "ledger.folder",
    "ledger.lock",
    "ledger.runs",
    "ledger.disk",
)
READS = ("read.lists", "read.agent", "read.schedule")
READING = ("agent:read", "skill:read", "wfm:read")
TOKEN = "/oauth/token"
LOST_RUN = "11111111-1111-4111-8111-111111111111"

Spoil = Callable[[Bench], object]


@pytest.fixture
def on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    with small(tmp_path, capsys) as made:
        yield made
        assert writes(made) == []


@contextmanager
def tenant(folder: Path, capsys: pytest.CaptureFixture[str], options: Options) -> Iterator[Bench]:
    """The same bench on a tenant of another kind."""
    with bench(folder, spec(), capsys, options) as made:
        made.write(FILES)
        yield made
        assert writes(made) == []


def writes(on: Bench) -> list[Any]:
    """What reached the tenant beside reads and requests for a token."""
    return [r for r in on.simulator.world.requests() if r.method != "GET" and r.path != TOKEN]


def checks(done: Done) -> dict[str, Any]:
    return {check["id"]: check for check in done.json["checks"]}


def examined(on: Bench, *arguments: str) -> tuple[Done, dict[str, Any]]:
    """Run doctor for people and for machines; both say the same and touch no file."""
    before = tree(on.folder)
    text = on.cxplan("doctor", *arguments)
    done = on.cxplan("doctor", *arguments, "--json")
    assert tree(on.folder) == before
    found = checks(done)
    assert tuple(found) == ALL
    assert text.code == done.code == done.json["exit"]["code"]
    assert (done.json["kind"], done.err, text.err) == ("cxplan/doctor", "", "")
    bad = [name for name in ALL if found[name]["state"] == "bad"]
    assert [error["address"] for error in done.json["errors"]] == bad
    assert all(found[name]["hint"] for name in bad)
    words = {"notChecked": "not checked"}
    for name, check in found.items():
        lines = [line for line in text.out.splitlines() if f"  {name}  " in f"{line} "]
        assert len(lines) == 1, name
        assert lines[0].startswith(words.get(check["state"], check["state"]))
    return done, found


def states(found: dict[str, Any], *, without: str = "good") -> dict[str, str]:
    return {name: check["state"] for name, check in found.items() if check["state"] != without}


def test_everything_is_good(on: Bench) -> None:
    done, found = examined(on)
    assert (done.code, states(found), done.json["errors"]) == (0, {}, [])
    assert "CXPLAN_API_URL, CXPLAN_SIGNING_KEY" in found["settings"]["found"]
    assert found["desired"]["found"] == "Valid: 1 team, 3 agents, 0 overrides."
    assert on.simulator.client_id in found["credentials"]["found"]
    assert all(scope in found["scopes"]["found"] for scope in SCOPES)
    assert found["read.lists"]["found"] == "The tenant has 2 skills and 2 modes."
    assert found["read.agent"]["found"] == "agent-1 is read with 2 skills and a strong ETag."
    assert found["read.schedule"]["found"] == "agent-1 has 1 shift planned."
    assert "is not there yet" in found["ledger.folder"]["found"]
    assert not (on.folder / "audit").exists()


def test_a_ledger_that_is_in_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small(tmp_path, capsys) as on:
        planned(on)
        applied = on.cxplan("apply", "p.json", "--json")
        assert applied.code == 0
        done, found = examined(on)
        assert (done.code, states(found)) == (0, {})
        assert "1 sealed run" in found["ledger.runs"]["found"]
        assert applied.json["head"] in found["ledger.runs"]["found"]
        assert "can be written" in found["ledger.folder"]["found"]


# --- one thing is wrong, and all else is still looked at --------------------------------------


def wrong_secret(on: Bench) -> None:
    on.environ["CXONE_CLIENT_SECRET"] = "mistaken"


def no_credentials(on: Bench) -> None:
    del on.environ["CXONE_CLIENT_ID"], on.environ["CXONE_CLIENT_SECRET"]


def odd_client(on: Bench) -> None:
    on.environ["CXONE_CLIENT_ID"] = "a:b"


def unknown_variable(on: Bench) -> None:
    on.environ["CXPLAN_SIGNIN_KEY"] = "x"


def two_wrong_variables(on: Bench) -> None:
    on.environ |= {"CXPLAN_CONCURRENCY": "many", "CXPLAN_QUIET": "perhaps"}


def invalid_files(on: Bench) -> None:
    on.write({"team.yaml": "team: [", "other.yaml": "team: A\nteam: B\n"})


def key_is_gone(on: Bench) -> None:
    (on.folder / "signing-key.pem").unlink()


def key_is_readable(on: Bench) -> None:
    (on.folder / "signing-key.pem").chmod(0o644)


def key_is_garbage(on: Bench) -> None:
    path = on.folder / "signing-key.pem"
    path.write_text("-----BEGIN PRIVATE KEY-----\nCXCANARY\n-----END PRIVATE KEY-----\n")


def key_is_a_folder(on: Bench) -> None:
    on.environ["CXPLAN_SIGNING_KEY"] = "desired"


def file_in_its_place(on: Bench) -> None:
    (on.folder / "audit").write_text("not a folder")


def nowhere_to_lie(on: Bench) -> None:
    on.environ["CXPLAN_AUDIT"] = "no/such/folder"


def unsealed_run(on: Bench) -> None:
    (on.folder / "audit" / f"000001-{LOST_RUN}.open").mkdir(parents=True)


def odd_lock(on: Bench) -> None:
    (on.folder / "audit" / ".lock").mkdir(parents=True)
    (on.folder / "audit" / ".lock").rmdir()
    (on.folder / "audit" / ".lock").symlink_to(on.folder / "elsewhere")


def lock_is_a_folder(on: Bench) -> None:
    (on.folder / "audit" / ".lock").mkdir(parents=True)


def ledger_of_another(on: Bench) -> None:
    on.write({"tenant.yaml": TENANT_YAML.replace("tenant: test", "tenant: other")})


def cut_journal(on: Bench) -> None:
    path = on.bundle() / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-9])


def damaged_bundle(on: Bench) -> None:
    bundle = on.folder / "audit" / f"000001-{LOST_RUN}"
    bundle.mkdir(parents=True)
    (bundle / "statement.dsse.json").write_text("{}")


UNREADY = dict.fromkeys(READS, "notChecked")
NO_TOKEN = {"credentials": "bad", "scopes": "notChecked", **UNREADY}
NO_LEDGER = dict.fromkeys(("ledger.lock", "ledger.runs"), "notChecked")
NO_DISK = {"ledger.disk": "notChecked"}
ALONE: list[tuple[Spoil, int, str, dict[str, str], str]] = [
    (wrong_secret, 7, "auth.refused", NO_TOKEN, "CXONE_CLIENT_SECRET"),
    (no_credentials, 7, "auth.missing", NO_TOKEN, "_FILE"),
    (odd_client, 3, "usage", NO_TOKEN, "CXONE_CLIENT_ID"),
    (unknown_variable, 3, "env.unknown", {"settings": "bad"}, "CXPLAN_SIGNING_KEY"),
    (
        invalid_files,
        3,
        "desired.invalid",
        {"desired": "bad", "read.agent": "notChecked", "read.schedule": "notChecked"},
        "cxplan validate",
    ),
    (key_is_gone, 9, "key.missing", {"key": "bad"}, "cxplan keys generate"),
    (key_is_readable, 9, "key.mode", {"key": "bad"}, "chmod 600"),
    (key_is_garbage, 9, "key.type", {"key": "bad"}, "ECDSA P-256"),
    (key_is_a_folder, 9, "path.type", {"key": "bad"}, "Name the key file itself"),
    (file_in_its_place, 12, "audit.folder", {"ledger.folder": "bad", **NO_LEDGER}, "--audit"),
    (nowhere_to_lie, 12, "audit.folder", {"ledger.folder": "bad", **NO_DISK}, "--audit"),
    (unsealed_run, 12, "audit.unsealed", {"ledger.runs": "bad"}, "recover"),
    (odd_lock, 12, "audit.folder", {"ledger.lock": "bad"}, "--audit"),
    (lock_is_a_folder, 12, "audit.folder", {"ledger.lock": "bad"}, "--audit"),
    (damaged_bundle, 12, "audit.form", {"ledger.runs": "bad"}, "cxplan audit verify"),
]


@pytest.mark.parametrize(
    ("spoil", "code", "error", "wrong", "hint"), ALONE, ids=[row[0].__name__ for row in ALONE]
)
def test_one_thing_is_wrong(
    on: Bench, spoil: Spoil, code: int, error: str, wrong: dict[str, str], hint: str
) -> None:
    spoil(on)
    done, found = examined(on)
    assert (done.code, done.codes()) == (code, [error])
    assert states(found) == wrong
    (bad,) = [name for name, state in states(found).items() if state == "bad"]
    assert hint in found[bad]["hint"]
    assert all(found[name]["found"] for name in wrong)


@pytest.mark.parametrize(
    ("spoil", "code", "error"),
    [(ledger_of_another, 9, "audit.tenant"), (cut_journal, 12, "audit.form")],
)
def test_a_ledger_that_a_plan_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Spoil, code: int, error: str
) -> None:
    with small(tmp_path, capsys) as on:
        assert on.cxplan("apply", "--auto-approve").code == 0
        assert examined(on)[0].code == 0
        spoil(on)
        done, found = examined(on)
        assert (done.code, done.codes()) == (code, [error])
        assert states(found) == {"ledger.runs": "bad"}
        assert on.cxplan("plan", "--json").codes() == [error]


def test_the_worst_of_several_decides_and_none_hides_another(on: Bench) -> None:
    wrong_secret(on)
    unknown_variable(on)
    two_wrong_variables(on)
    key_is_readable(on)
    unsealed_run(on)
    done, found = examined(on)
    assert done.code == 12
    bad = {name for name, state in states(found).items() if state == "bad"}
    assert bad == {"settings", "credentials", "key", "ledger.runs"}
    for name in ("CXPLAN_SIGNIN_KEY", "--concurrency", "CXPLAN_QUIET"):
        assert name in found["settings"]["found"]
    assert LOST_RUN in found["ledger.runs"]["found"]
    (on.folder / "audit" / f"000001-{LOST_RUN}.open").rmdir()
    assert examined(on)[0].code == 7


def test_what_the_command_line_says_wins_over_a_variable_that_cannot_be(on: Bench) -> None:
    on.environ["CXPLAN_CONCURRENCY"] = "many"
    assert examined(on, "--concurrency", "4")[0].code == 0
    assert on.cxplan("doctor", "--concurrency", "many").code == 3
    assert on.cxplan("doctor", "-C", "nowhere").code == 3


def test_files_that_are_not_there_are_no_error(on: Bench) -> None:
    done, found = examined(on, "--desired", "nowhere")
    assert done.code == 0
    assert states(found) == {
        "desired": "warning",
        "read.agent": "notChecked",
        "read.schedule": "notChecked",
    }


def test_files_of_another_tenant(on: Bench) -> None:
    done, found = examined(on, "--tenant", "other")
    assert (done.code, done.codes()) == (3, ["policy.tenant"])
    assert found["desired"]["state"] == "bad"


# --- addresses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "url", "code", "error"),
    [
        ("--api-url", "http://example.com", 3, "http.scheme"),
        ("--api-url", "https://u:CXCANARY@127.0.0.1", 3, "http.userinfo"),
        ("--api-url", "http://127.0.0.1:9", 10, "http.unreachable"),
        ("--token-url", "ftp://127.0.0.1/token", 3, "http.scheme"),
        ("--token-url", "http://127.0.0.1:9/token", 10, "http.unreachable"),
    ],
)
def test_one_of_the_two_addresses_is_wrong(
    on: Bench, option: str, url: str, code: int, error: str
) -> None:
    done, found = examined(on, option, url)
    wrong, right = ("address.api", "address.token")
    if option == "--token-url":
        wrong, right = right, wrong
    assert (done.code, done.codes()) == (code, [error])
    assert (found[wrong]["state"], found[right]["state"]) == ("bad", "good")
    assert option in found[wrong]["found"] + found[wrong]["hint"]
    asks = option == "--api-url" and code == 10
    assert found["credentials"]["state"] == ("good" if asks else "notChecked")
    assert [found[name]["state"] for name in READS] == ["notChecked"] * 3
    assert (found["key"]["state"], found["ledger.runs"]["state"]) == ("good", "good")
    assert "CXCANARY" not in "".join(on.seen)


def test_both_addresses_are_told(on: Bench) -> None:
    done, _ = examined(on, "--api-url", "http://example.com", "--token-url", "nonsense")
    assert (done.code, done.codes()) == (3, ["http.scheme", "http.scheme"])


def test_a_name_that_nobody_knows(on: Bench) -> None:
    done, found = examined(on, "--api-url", "https://tenant.invalid")
    assert done.code == 10
    assert "its name is not known (DNS)" in found["address.api"]["found"]


def test_a_certificate_that_nobody_trusts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ca").mkdir()
    trusted = authority(tmp_path / "ca")
    options = Options(tls=trusted.server("good"))
    with tenant(tmp_path, capsys, options) as on:
        done, found = examined(on)
        assert (done.code, done.codes()) == (7, ["http.tls", "http.tls"])
        assert "--ca-bundle" in found["address.token"]["hint"]
        assert found["credentials"]["state"] == "notChecked"
        assert on.simulator.world.requests() == ()
        assert examined(on, "--ca-bundle", str(trusted.bundle))[0].code == 0
        done, found = examined(on, "--ca-bundle", "nowhere.pem")
        assert (done.code, set(done.codes())) == (3, {"usage"})


def test_no_credentials_are_sent_to_find_out_whether_somebody_answers(on: Bench) -> None:
    no_credentials(on)
    examined(on)
    sent = on.simulator.world.requests()
    assert len(sent) == 4
    assert {entry.status for entry in sent} <= {401, 404, 405}


# --- the clock --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "state", "code"),
    [(0, "good", 0), (-45, "good", 0), (-150, "warning", 0), (4000, "bad", 3), (-4000, "bad", 3)],
)
def test_a_clock_that_is_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seconds: int, state: str, code: int
) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
    rule = Rule("GET", TOKEN, headers=(("Date", (date,)),))
    with small(tmp_path, capsys, rule) as on:
        done, found = examined(on)
        assert (done.code, found["clock"]["state"]) == (code, state)
        if state != "good":
            assert ("behind" if seconds > 0 else "ahead of") in found["clock"]["found"]
            assert "NTP" in found["clock"]["hint"]
            assert states(found) == {"clock": state}


@pytest.mark.parametrize(
    "date", [(), ("yesterday",), ("Mon, 99 Xyz 99999999999 00:00:00 GMT",), ("\x1b[31m GMT",)]
)
def test_a_server_that_does_not_say_what_time_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], date: tuple[str, ...]
) -> None:
    with small(tmp_path, capsys, Rule("GET", TOKEN, headers=(("Date", date),))) as on:
        done, found = examined(on)
        assert (done.code, states(found)) == (0, {"clock": "notChecked"})


# --- scopes and reading -----------------------------------------------------------------------


def test_a_client_that_may_only_read_is_good_for_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tenant(tmp_path, capsys, Options(scopes=READING)) as on:
        done, found = examined(on)
        assert (done.code, done.codes()) == (7, ["auth.scope"])
        assert "agent:write" in found["scopes"]["found"]
        assert states(found) == {"scopes": "bad"}
        del on.environ["CXPLAN_SIGNING_KEY"]
        done, found = examined(on)
        assert (done.code, states(found)) == (0, {"key": "warning"})
        assert "good for plan" in found["scopes"]["found"]
        assert "agent:write, events:publish" in found["scopes"]["found"]
        assert "cxplan keys generate" in found["key"]["hint"]


@pytest.mark.parametrize("scope", READING)
def test_a_client_that_may_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], scope: str
) -> None:
    rest = tuple(one for one in SCOPES if one != scope)
    with tenant(tmp_path, capsys, Options(scopes=rest)) as on:
        done, found = examined(on)
        assert (done.code, done.codes()) == (7, ["auth.scope"])
        assert states(found) == {"scopes": "bad", **UNREADY}
        assert scope in found["scopes"]["found"]


FORBIDDEN = {"agent:read": "read.agent", "skill:read": "read.lists", "wfm:read": "read.schedule"}


@pytest.mark.parametrize("scope", READING)
def test_a_token_that_does_not_name_its_scopes_shows_at_the_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], scope: str
) -> None:
    rest = tuple(one for one in SCOPES if one != scope)
    nameless = Rule("POST", TOKEN, merge={"scope": None})
    with tenant(tmp_path, capsys, Options(scopes=rest, faults=(nameless,))) as on:
        done, found = examined(on)
        assert done.code == 7
        wrong = states(found)
        assert wrong[FORBIDDEN[scope]] == "bad"
        assert set(wrong) <= set(READS)
        assert scope in found[FORBIDDEN[scope]]["found"]


@pytest.mark.parametrize(
    ("rule", "wrong", "code", "error"),
    [
        (
            Rule("GET", "/api/v2/agents/agent-1", headers=(("ETag", ()),)),
            {"read.agent": "bad"},
            10,
            ["lock.noStrongEtag"],
        ),
        (
            Rule("GET", "/api/v2/agents/agent-1", headers=(("ETag", ('W/"1"',)),)),
            {"read.agent": "bad"},
            10,
            ["lock.noStrongEtag"],
        ),
        (Rule("GET", "/api/v2/agents/agent-1", status=404), {"read.agent": "warning"}, 0, []),
        (Rule("GET", "/api/v2/agents/agent-1", body="{"), {"read.agent": "bad"}, 10, ["http.json"]),
        (
            Rule("GET", "/api/v2/wfm/schedules/*", body="{"),
            {"read.schedule": "bad"},
            10,
            ["http.json"],
        ),
        (
            Rule("GET", "/api/v2/skills", status=200, body='{"skills": []}'),
            {"read.lists": "bad"},
            10,
            ["tenant.empty"],
        ),
    ],
    ids=["no tag", "weak tag", "unknown", "not JSON", "schedule", "empty list"],
)
def test_what_cannot_be_read(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    rule: Rule,
    wrong: dict[str, str],
    code: int,
    error: list[str],
) -> None:
    with small(tmp_path, capsys, rule) as on:
        done, found = examined(on)
        assert (done.code, done.codes(), states(found)) == (code, error, wrong)


def test_a_tenant_without_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small(tmp_path, capsys, Rule("GET", "/api/v2/work-modes", status=404)) as on:
        done, found = examined(on)
        assert done.code == 0
        assert "no list of work modes" in found["read.lists"]["found"]


# --- the ledger -------------------------------------------------------------------------------

HOLD = """
import sys
from pathlib import Path
from cxplan.audit.ledger import FileLedger
from cxplan.wiring.system import RandomIds, SystemClock
root, owner = Path(sys.argv[1]), "m.sato (process 7)"
ledger = FileLedger(root, owner=owner, clock=SystemClock(), ids=RandomIds())
with ledger.lock(plan_id="22222222-2222-4222-8222-222222222222"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_ledger_that_another_process_holds(on: Bench) -> None:
    audit = on.folder / "audit"
    command = [sys.executable, "-c", HOLD, str(audit)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == b"held\n"
            done, found = examined(on)
            assert (done.code, done.codes()) == (8, ["ledger.locked"])
            assert states(found) == {"ledger.lock": "bad"}
            assert "m.sato (process 7)" in found["ledger.lock"]["found"]
            (audit / f"000001-{LOST_RUN}.open").mkdir()
            done, found = examined(on)
            assert done.code == 8
            assert "one is under way" in found["ledger.runs"]["found"]
        finally:
            holder.stdin.close()
            holder.wait(10)
    done, found = examined(on)
    assert (done.code, states(found)) == (12, {"ledger.runs": "bad"})


def test_a_ledger_that_may_not_be_written(on: Bench) -> None:
    audit = on.folder / "audit"
    audit.mkdir(mode=0o500)
    if os.access(audit, os.W_OK):
        pytest.skip("this user may write anywhere")
    done, found = examined(on)
    assert (done.code, states(found)) == (12, {"ledger.folder": "bad"})
    audit.rmdir()
    on.folder.chmod(0o500)
    done, found = examined(on)
    on.folder.chmod(0o700)
    assert (done.code, states(found)) == (12, {"ledger.folder": "bad"})


class Full:
    """A ledger on a disk that is nearly full."""

    place = "audit"

    def folder(self) -> bool:
        raise EvidenceError("No space left on device.", code="audit.folder")

    def refuse_held(self) -> None:
        return

    def runs(self, tenant: str | None) -> LedgerRuns:
        del tenant
        return LedgerRuns(3, None, ("a", "b"), "Settle it.")

    def free(self) -> int:
        return LITTLE_ROOM - 1


def test_a_disk_with_little_room_is_a_warning() -> None:
    found: dict[str, Check] = {check.id: check for check in ledger_checks(Full(), None)}
    assert [check.state for check in found.values()] == [
        State.BAD,
        State.GOOD,
        State.BAD,
        State.WARNING,
    ]
    assert "99 MiB" in found["ledger.disk"].found
    assert found["ledger.runs"].found.startswith("a, b: ")
    assert found["ledger.runs"].exit is Exit.AUDIT


# --- nothing gets out -------------------------------------------------------------------------


ECHO = Rule("POST", TOKEN, first=6, status=400, body='{"error": "CXCANARY", "x": "CXCANARY"}')


def test_no_secret_in_any_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The secret, each token, the key's text, and what an answer says that nobody asked for."""
    with small(tmp_path, capsys, ECHO) as on:
        for spoil in (no_change, odd_client, key_is_garbage, echoed):
            spoil(on)
            on.cxplan("doctor", "-v")
            on.cxplan("doctor", "--json")
        asked = [r for r in on.simulator.world.requests() if (r.method, r.path) == ("POST", TOKEN)]
        assert len(asked) > 5
        secrets = (on.simulator.client_secret, *(token(n) for n in range(1, 6)), "CXCANARY-secret")
        assert_no_secret("".join(on.seen).encode(), (*secrets, "CXCANARY"))


def no_change(on: Bench) -> None:
    del on


def echoed(on: Bench) -> None:
    """Another secret, which the token endpoint does not know."""
    on.environ["CXONE_CLIENT_ID"] = on.simulator.client_id
    on.environ["CXONE_CLIENT_SECRET"] = "CXCANARY-secret"
