"""A tenant that cannot prove who it is: nothing is asked of it, nothing is written, exit 7.

Rows E02 and E03 of the list of bad inputs, F-37 of the fault matrix.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from cxplan.simulator.options import Options
from cxplan.simulator.runner import Simulator
from cxplan.wiring.system import SystemClock
from tests.bad.certificates import DAY, Authority
from tests.bad.kit import Stage, people, stage

Server = Callable[[Authority], ssl.SSLContext]


def expired(authority: Authority) -> ssl.SSLContext:
    return authority.server("expired", until=datetime.now(UTC) - DAY)


def wrong_host(authority: Authority) -> ssl.SSLContext:
    return authority.server("other", x509.DNSName("tenant.example"))


REFUSED = [
    ("E02", Authority.self_signed),
    ("E03", wrong_host),
    ("F-37", expired),
]
refused = pytest.mark.parametrize(
    "server", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED]
)


def assert_refused(on: Stage, *arguments: str) -> None:
    for mode in ("--json", "-v"):
        done = on.run(*arguments, mode)
        assert done.code == 7
        if mode == "--json":
            assert done.codes() == ["http.tls"]
        else:
            assert "[http.tls]" in done.err
            assert "--ca-bundle" in done.err
    assert not [entry for entry in on.log() if entry.method != "GET"]


@refused
@pytest.mark.parametrize("with_bundle", [True, False])
def test_plan_asks_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    trusted: Authority,
    server: Server,
    with_bundle: bool,
) -> None:
    options = Options(tls=server(trusted))
    with stage(tmp_path, capsys, options=options) as on:
        bundle = ("--ca-bundle", str(trusted.bundle)) if with_bundle else ()
        assert_refused(on, "plan", "-o", "p.json", *bundle)
        assert on.log() == []


def test_nobody_is_trusted_who_is_not_in_the_bundle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], trusted: Authority
) -> None:
    """Without the bundle the authorities of the system count, and ours is none of them."""
    with stage(tmp_path, capsys, options=Options(tls=trusted.server("good"))) as on:
        assert_refused(on, "plan")
        assert on.run("plan", "--ca-bundle", str(trusted.bundle)).code == 0


@refused
def test_apply_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], trusted: Authority, server: Server
) -> None:
    options = Options(tls=trusted.server("good"))
    with stage(tmp_path, capsys, options=options, ca=trusted.bundle) as on:
        assert on.run("plan", "-o", "p.json", writes=("p.json",)).code == 0
        port = int(on.on.simulator.api_url.rpartition(":")[2])
        on.on.simulator.stop()
        other = Options(port=port, tls=server(trusted))
        with Simulator.start(people(("1001", "1002")), other, SystemClock()) as on.on.simulator:
            done = on.run("apply", "p.json", "--json", writes=("audit",))
            assert (done.code, done.codes()) == (7, ["http.tls"])
            assert on.log() == []
            assert not list((on.on.folder / "audit").glob("*.open"))


@refused
def test_the_api_is_held_to_it_like_the_token_endpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], trusted: Authority, server: Server
) -> None:
    """The token is there already; it is not shown to somebody without a good certificate."""
    impostor = Options(tls=server(trusted))
    with (
        stage(
            tmp_path, capsys, options=Options(tls=trusted.server("good")), ca=trusted.bundle
        ) as on,
        Simulator.start(people(("1001", "1002")), impostor, SystemClock()) as other,
    ):
        on.on.environ["CXPLAN_API_URL"] = other.api_url
        done = on.run("plan", "-o", "p.json", "--json")
        assert (done.code, done.codes()) == (7, ["http.tls"])
        assert other.world.requests() == ()
