"""Starting, announcing, stopping, going down; the log port."""

from __future__ import annotations

import http.client
import json
import queue
import socket
import ssl
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cxplan.core.errors import InvalidError
from cxplan.simulator.options import Options
from cxplan.simulator.runner import Simulator, serve
from tests.simulator.kit import TENANT, Client, StillClock, event, rules, running, update


def test_the_ready_line_is_json_and_tells_all_that_a_client_needs() -> None:
    with running(options=Options(seed=5, log_port=0)) as client:
        line = json.loads(json.dumps(client.simulator.ready_line()))
        assert set(line) == {
            "apiUrl", "tokenUrl", "clientId", "clientSecret", "agents", "workModes", "skills",
            "logUrl",
        }  # fmt: skip
        assert line["agents"] == ["a1", "a2", "a3", "a4"]
        assert line["workModes"] == ["m1", "m2"]
        assert line["skills"][0] == {"skillId": "s1", "name": "skill 1"}
        assert line["apiUrl"].startswith("http://127.0.0.1:")
        assert line["tokenUrl"] == line["apiUrl"] + "/oauth/token"
        assert client.log_in().status == 200


def test_without_a_log_port_no_log_is_announced() -> None:
    with running() as client:
        assert "logUrl" not in client.simulator.ready_line()
        assert client.simulator.log_url is None


def test_the_seed_alone_makes_credentials_tags_and_tokens() -> None:
    def run(seed: int) -> tuple[str, ...]:
        with running(options=Options(seed=seed)) as client:
            client.log_in()
            simulator = client.simulator
            first = client.etag("a1")
            written = client.patch("a1").etag
            return (simulator.client_id, simulator.client_secret, client.token, first, written)

    assert run(1) == run(1)
    assert all(one != other for one, other in zip(run(1), run(2), strict=True))


def test_other_values_have_other_tags_under_the_same_seed() -> None:
    agents = (replace(TENANT.agents[0], work_mode="m2"), *TENANT.agents[1:])
    with running() as client, running(spec=replace(TENANT, agents=agents)) as other:
        assert client.etag("a1") != other.etag("a1")
        assert client.etag("a2") == other.etag("a2")


@pytest.mark.skipif(sys.platform != "linux", reason="has no second loopback address")
def test_it_listens_on_one_loopback_address_only() -> None:
    """Somebody who listened on all addresses would keep this one from being taken."""
    with running(options=Options(log_port=0)) as client:
        ready = client.simulator.ready_line()
        for url in (ready["apiUrl"], ready["logUrl"]):
            socket.create_server(("127.0.0.2", int(url.rpartition(":")[2]))).close()


def test_a_taken_port_is_an_error_with_a_hint() -> None:
    with running() as client:
        for options in (Options(port=client.port), Options(log_port=client.port)):
            with pytest.raises(InvalidError, match="in use") as caught:
                Simulator.start(TENANT, options, StillClock())
            assert caught.value.problem.hint


@pytest.mark.parametrize(
    "options", [Options(port=-1), Options(port=65_536), Options(log_port=70_000)]
)
def test_a_port_that_does_not_exist_is_an_error(options: Options) -> None:
    with pytest.raises(InvalidError, match="no such port"):
        Simulator.start(TENANT, options, StillClock())


def test_a_rule_that_does_not_fit_the_tenant_is_an_error_at_the_start() -> None:
    faults = rules({"method": "*", "path": "**", "foreign": {"agentId": "a9", "touch": True}})
    with pytest.raises(InvalidError, match="agent"):
        Simulator.start(TENANT, Options(faults=faults), StillClock())


def test_rules_of_the_options_are_in_force() -> None:
    faults = rules({"method": "GET", "path": "**", "status": 418})
    with running(options=Options(faults=faults)) as client:
        assert client.get("/api/v2/agents/a1").status == 418


def test_stop_frees_the_port_ends_open_answers_and_may_come_twice() -> None:
    clock = StillClock()
    faults = rules({"method": "GET", "path": "/slow", "delayMs": 3_600_000, "status": 200})
    simulator = Simulator.start(TENANT, Options(faults=faults), clock)
    port = Client(simulator, clock).port
    with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
        peer.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        deadline = time.monotonic() + 10
        while not simulator.world.requests() and time.monotonic() < deadline:
            time.sleep(0.01)
        simulator.stop()
        simulator.stop()
        assert peer.recv(10) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=10)
    with Simulator.start(TENANT, Options(port=port), clock) as again:
        assert again.api_url.endswith(f":{port}")


def test_down_and_up_again_keeps_port_state_and_tokens() -> None:
    with running(options=Options(log_port=0)) as client:
        tag = client.patch("a1").etag
        ready = client.simulator.ready_line()
        kept = http.client.HTTPConnection("127.0.0.1", client.port, timeout=10)
        kept.request("GET", "/")
        kept.getresponse().read()
        client.simulator.go_down()
        with pytest.raises(ConnectionRefusedError):
            client.get("/api/v2/agents/a1")
        assert kept.sock.recv(1) == b""
        kept.close()
        client.simulator.come_up()
        assert client.simulator.ready_line() == ready
        assert client.etag("a1") == tag


def test_a_port_that_was_taken_meanwhile_is_an_error() -> None:
    with running() as client:
        client.simulator.go_down()
        with (
            socket.create_server(("127.0.0.1", client.port)),
            pytest.raises(InvalidError, match="in use"),
        ):
            client.simulator.come_up()
        client.simulator.come_up()
        assert client.get("/api/v2/agents/a1").status == 200


def test_serve_announces_once_it_listens_and_runs_until_told() -> None:
    said: queue.Queue[dict[str, Any]] = queue.Queue()
    stop = threading.Event()
    thread = threading.Thread(
        target=serve, args=(TENANT, Options(), StillClock(), said.put, stop), daemon=True
    )
    thread.start()
    port = int(said.get(timeout=10)["apiUrl"].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10):
        assert thread.is_alive()
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=10)


def test_serve_on_a_taken_port_says_so_and_announces_nothing() -> None:
    said: list[Any] = []
    with running() as client, pytest.raises(InvalidError, match="in use"):
        serve(TENANT, Options(port=client.port), StillClock(), said.append, threading.Event())
    assert said == []


def test_many_clients_at_once_get_whole_answers() -> None:
    def read(client: Client, found: list[int]) -> None:
        found += [len(client.get("/api/v2/agents").json["entities"]) for _ in range(10)]

    with running() as client:
        client.log_in()
        found: list[int] = []
        threads = [threading.Thread(target=read, args=(client, found)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        numbers = [entry.sequence for entry in client.simulator.world.requests()]
    assert found == [4] * 80
    assert len(numbers) == len(set(numbers)) == 81


def test_of_writers_under_one_tag_exactly_one_wins() -> None:
    def write(client: Client, tag: str, found: list[int]) -> None:
        found.append(client.patch("a1", update("m2"), tag=tag).status)

    with running(options=Options(patches_per_second=99)) as client:
        tag = client.etag("a1")
        found: list[int] = []
        threads = [threading.Thread(target=write, args=(client, tag, found)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found) == [200] + [412] * 7
        assert len(client.simulator.world.changes()) == 1


def certificate(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simulator")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "pair.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    pem.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


@pytest.mark.parametrize(("fault", "error"), [(None, None), ("after", ConnectionResetError)])
def test_it_speaks_tls_and_resets_it_too(tmp_path: Path, fault: str | None, error: Any) -> None:
    faults = rules({"method": "GET", "path": "/", "reset": fault}) if fault else ()
    options = Options(tls=certificate(tmp_path), faults=faults)
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    with Simulator.start(TENANT, options, StillClock()) as simulator:
        assert simulator.api_url.startswith("https://127.0.0.1:")
        port = int(simulator.api_url.rpartition(":")[2])
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=blind)
        connection.request("GET", "/")
        if error:
            with pytest.raises(error):
                connection.getresponse()
        else:
            assert connection.getresponse().read()
        connection.close()


# --- the log port ---


def ask(client: Client, method: str, path: str, body: Any = None, **headers: str) -> Any:
    url = client.simulator.log_url
    assert url is not None
    other = Client(client.simulator, client.clock)
    other.port = int(url.rpartition(":")[2])
    data = None if body is None else json.dumps(body).encode()
    got = other.send(method, path, data, **headers)
    return got.status, got.json


def test_the_log_port_tells_what_happened() -> None:
    with running(options=Options(log_port=0)) as client:
        tag = client.etag("a2")
        client.patch("a2", update("m1", ("s1", 3, 2)), tag=tag)
        client.call("POST", "/api/v2/events/publish", event("a2"))
        _, requests = ask(client, "GET", "/requests")
        _, changed = ask(client, "GET", "/changes")
        _, events = ask(client, "GET", "/events")
        _, state = ask(client, "GET", "/state")
    assert [(r["method"], r["status"]) for r in requests["requests"]] == [
        ("POST", 200), ("GET", 200), ("PATCH", 200), ("POST", 202),
    ]  # fmt: skip
    patch = requests["requests"][2]
    assert (patch["agentId"], patch["ifMatch"], patch["body"]["workModeId"]) == ("a2", tag, "m1")
    (change,) = changed["changes"]
    assert (change["agentId"], change["actor"], change["eTagBefore"]) == ("a2", "api", tag)
    assert change["before"]["workModeId"] == "m2"
    assert change["after"]["skills"] == [
        {
            "skillId": "s1",
            "level": 3,
            "concurrentInteractions": 2,
            "maximumConcurrentInteractions": 4,
        }
    ]
    assert events["events"][0]["body"] == event("a2")
    assert [agent["agentId"] for agent in state["agents"]] == ["a1", "a2", "a3", "a4"]
    assert state["agents"][1] == change["after"]
    assert state["agents"][1]["eTag"] == change["eTagAfter"] != tag


def test_the_log_port_makes_changes_and_faults() -> None:
    with running(options=Options(log_port=0)) as client:
        status, state = ask(
            client, "POST", "/foreign", {"agentId": "a1", "skill": "s1", "level": 19}
        )
        assert (status, state["skills"][0]["level"]) == (200, 19)
        assert client.etag("a1") == state["eTag"]
        rule = {"method": "GET", "path": "/api/v2/agents/a1", "nth": 1, "status": 503}
        assert ask(client, "POST", "/rules", [rule]) == (200, {"added": 1})
        assert [client.get("/api/v2/agents/a1").status for _ in range(2)] == [503, 200]
        assert ask(client, "POST", "/reset-log")[0] == 200
        assert client.simulator.world.requests() == ()
        assert client.simulator.world.changes() == ()
        assert client.etag("a1") == state["eTag"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/", None, 404),
        ("POST", "/state", None, 404),
        ("GET", "/api/v2/agents", None, 404),
        ("POST", "/foreign", {"agentId": "a9", "touch": True}, 400),
        ("POST", "/foreign", {"touch": True}, 400),
        ("POST", "/foreign", {"agentId": "a1", "levle": 3}, 400),
        ("POST", "/foreign", [], 400),
        ("POST", "/rules", {}, 400),
        ("POST", "/rules", [{"method": "GET"}], 400),
        ("POST", "/rules", None, 400),
    ],
)
def test_the_log_port_refuses_with_a_reason(method: str, path: str, body: Any, status: int) -> None:
    with running(options=Options(log_port=0)) as client:
        found, answer = ask(client, method, path, body)
    assert found == status
    assert answer["message"]


def test_the_log_port_does_not_talk_to_web_pages() -> None:
    with running(options=Options(log_port=0)) as client:
        assert ask(client, "GET", "/state", Origin="https://evil.example")[0] == 403
