"""A next page elsewhere is refused, and the token stands in nothing that cxplan leaves behind."""

from __future__ import annotations

import base64
import socket
import threading
from pathlib import Path
from urllib.parse import quote

import pytest

from cxplan.simulator.rules import Rule
from tests.cli.kit import Bench
from tests.cli.small import planned, small


class Listener:
    """A port of this machine that notes every connection."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.seen = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.seen += 1
            connection.close()


@pytest.fixture
def listener() -> object:
    made = Listener()
    yield made
    made.socket.close()


@pytest.mark.parametrize("where", ["http://127.0.0.1:{port}/x", "//127.0.0.1:{port}/api/v2/agents"])
def test_a_next_page_on_another_host_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], listener: Listener, where: str
) -> None:
    page = {"nextPageUri": where.format(port=listener.port)}
    rule = Rule("GET", "/api/v2/agents/agent-1/skills", merge=page)
    with small(tmp_path, capsys, rule) as on:
        done = on.cxplan("plan", "--json")
        assert done.code == 10
        unread = [a for a in done.json["agents"] if a["status"] == "unread"]
        assert [a["agent"]["id"] for a in unread] == ["agent-1"]
        assert unread[0]["checks"][0]["id"] == "http.cross_origin"
        assert listener.seen == 0


def test_no_secret_stands_in_any_output_log_or_bundle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small(tmp_path, capsys) as on:
        on.cxplan("plan", "-v")
        planned(on)
        assert on.cxplan("apply", "p.json", "-v").code == 0
        on.cxplan("audit", "verify", "-v")
        on.cxplan("audit", "list", "--json")
        secrets = _secrets(on)
        assert len(secrets) == 2
        produced = "".join(on.seen).encode()
        for path in tmp_path.rglob("*"):
            if path.is_file() and path.name != "signing-key.pem":
                produced += path.read_bytes()
        for secret in secrets:
            for form in (secret, quote(secret), base64.b64encode(secret.encode()).decode()):
                assert form.encode() not in produced


def _secrets(on: Bench) -> list[str]:
    """The client secret, and a token like the one that was used."""
    import requests

    answer = requests.post(
        on.simulator.token_url,
        data={"grant_type": "client_credentials"},
        auth=(on.simulator.client_id, on.simulator.client_secret),
        timeout=10,
    )
    return [on.simulator.client_secret, answer.json()["access_token"][:12]]
