"""One exchange: foreign exceptions, TLS, proxies."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests.exceptions
import urllib3.exceptions
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cxplan.core.answers import Failure, SkillWrite, Write
from cxplan.core.errors import AuthError, UnavailableError
from cxplan.core.ids import SkillId, WorkModeId
from cxplan.core.live import ObservedAgent
from cxplan.tenant.foreign import TRANSLATIONS, translate
from cxplan.tenant.messages import SENTENCES
from tests.tenant.server import Asked, ScriptedServer, answer
from tests.tenant.stage import (
    AGENT,
    PATCH,
    SECRET,
    TOKEN,
    HastyClock,
    assert_no_canary,
    good_tenant,
    seen,
    stage,
)

CHANGE = Write(AGENT, WorkModeId("wm-2"), (SkillWrite(SkillId("s1"), 5, 1),), "reason")


# --- exceptions -------------------------------------------------------------------------------


def test_every_exception_of_requests_has_a_translation_of_its_own() -> None:
    known = {
        thing
        for thing in vars(requests.exceptions).values()
        if isinstance(thing, type) and issubclass(thing, requests.exceptions.RequestException)
    }
    assert len(known) > 20
    assert known <= set(TRANSLATIONS), "a new exception of requests: say what it means"
    assert set(TRANSLATIONS.values()) <= set(SENTENCES)


def test_every_exception_of_urllib3_is_translated_by_itself_or_a_base() -> None:
    for thing in vars(urllib3.exceptions).values():
        if isinstance(thing, type) and issubclass(thing, urllib3.exceptions.HTTPError):
            assert any(base in TRANSLATIONS for base in thing.__mro__)


POOL: Any = None
REFUSED = urllib3.exceptions.NewConnectionError(POOL, f"refused {SECRET}")


def wrapped(inner: BaseException) -> BaseException:
    """As requests hands it on after no retries."""
    return requests.exceptions.ConnectionError(
        urllib3.exceptions.MaxRetryError(POOL, f"/{TOKEN}", inner)  # type: ignore[arg-type]
    )


def aborted(inner: BaseException) -> BaseException:
    return requests.exceptions.ConnectionError(
        urllib3.exceptions.ProtocolError("Connection aborted.", inner)
    )


CASES: list[tuple[BaseException, str, Failure]] = [
    (wrapped(REFUSED), "http.unreachable", Failure.LOST),
    (
        wrapped(urllib3.exceptions.NameResolutionError("h", POOL, socket.gaierror(SECRET))),
        "http.unreachable",
        Failure.LOST,
    ),
    (requests.exceptions.ConnectTimeout(SECRET), "http.unreachable", Failure.LOST),
    (requests.exceptions.ReadTimeout(SECRET), "http.deadline", Failure.LOST),
    (aborted(http.client.RemoteDisconnected(SECRET)), "http.cut", Failure.LOST),
    (aborted(ConnectionResetError(SECRET)), "http.cut", Failure.LOST),
    (aborted(http.client.LineTooLong("header line")), "http.protocol", Failure.LOST),
    (aborted(http.client.BadStatusLine(SECRET)), "http.protocol", Failure.LOST),
    (aborted(TimeoutError()), "http.deadline", Failure.LOST),
    (
        wrapped(urllib3.exceptions.SSLError(ssl.SSLCertVerificationError(1, SECRET))),
        "http.tls",
        Failure.CERTIFICATE,
    ),
    (wrapped(urllib3.exceptions.SSLError(ssl.SSLError(1, SECRET))), "http.tls", Failure.LOST),
    (
        wrapped(urllib3.exceptions.ProxyError(SECRET, REFUSED)),
        "http.proxy",
        Failure.LOST,
    ),
    (requests.exceptions.InvalidHeader(f"Bearer {TOKEN}"), "http.protocol", Failure.LOST),
    (UnicodeError(SECRET), "http.protocol", Failure.LOST),
    (OSError(24, SECRET), "http.cut", Failure.LOST),
]


@pytest.mark.parametrize(("error", "code", "failure"), CASES)
def test_a_foreign_exception_becomes_a_value_without_its_text(
    error: BaseException, code: str, failure: Failure
) -> None:
    meant, trouble = translate(error, sent=True)
    assert (meant, trouble.code) == (failure, code)
    assert_no_canary(trouble)
    meant, trouble = translate(error, sent=False)
    assert meant is (failure if failure is Failure.CERTIFICATE else Failure.NOT_SENT)


# --- TLS --------------------------------------------------------------------------------------


class Authority:
    """An authority that signs what a test needs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self.bundle = folder / "ca.pem"
        certificate = self._sign(self._name, self._key.public_key(), authority=True)
        self.bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def _sign(
        self, name: x509.Name, key: Any, *, authority: bool, host: str = "", days: int = 30
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=90))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if host:
            names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def server(self, host: str = "127.0.0.1", days: int = 30) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tenant")])
        certificate = self._sign(name, key.public_key(), authority=False, host=host, days=days)
        path = self._folder / "server.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@contextlib.contextmanager
def over_tls(context: ssl.SSLContext) -> Iterator[ScriptedServer]:
    answers = good_tenant()

    def script(asked: Asked) -> Any:
        return answers.get(asked.key, answer({}, 404))

    with ScriptedServer(script, context) as server:
        yield server


def test_a_tenant_with_a_trusted_certificate_is_read_and_written(authority: Authority) -> None:
    with over_tls(authority.server()) as server:
        urls: dict[str, Any] = {"api_url": server.url, "token_url": f"{server.url}/oauth/token"}
        with stage(**urls, ca_bundle=str(authority.bundle)) as here:
            assert here.tenant.connect(write=True).origin == server.url
            assert isinstance(here.tenant.agent(AGENT), ObservedAgent)
            assert here.tenant.write(CHANGE, seen()).status == 200
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(here.tenant.write, CHANGE, seen()).result().status == 200
        assert server.count(PATCH) == 2
        # The second thread waited for its turn on a fresh connection whose session tickets lay
        # unread: that is no hang-up, and needs no third connection.
        assert server.connections == 2


@pytest.mark.parametrize(
    ("host", "days", "trusted", "why"),
    [
        pytest.param("127.0.0.1", 30, False, "its issuer is not trusted", id="E02"),
        pytest.param("10.9.8.7", 30, True, "it is for another address", id="E03"),
        pytest.param("127.0.0.1", -1, True, "it has expired", id="expired"),
    ],
)
def test_a_certificate_that_proves_nothing_is_refused(
    authority: Authority, host: str, days: int, trusted: bool, why: str
) -> None:
    with over_tls(authority.server(host, days)) as server:
        bundle = str(authority.bundle) if trusted else None
        with stage(api_url=server.url, ca_bundle=bundle) as here:
            for ask in (here.tenant.agent, here.tenant.schedule):
                with pytest.raises(AuthError) as caught:
                    ask(AGENT)
                assert caught.value.problem.code == "http.tls"
                assert caught.value.problem.summary.endswith(f" was refused: {why}.")
                assert "--ca-bundle" in str(caught.value.problem.hint)
            reply = here.tenant.write(CHANGE, seen())
            assert (reply.status, reply.failure) == (None, Failure.CERTIFICATE)
            assert reply.detail == f"http.tls: {why}"
        token_url = f"{server.url}/oauth/token"
        with stage(token_url=token_url, ca_bundle=bundle) as here:
            with pytest.raises(AuthError) as caught:
                here.tenant.connect(write=False)
            assert caught.value.problem.code == "http.tls"
        assert server.asked == []


def test_a_server_that_speaks_no_tls_is_told_nothing() -> None:
    with ScriptedServer(greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n") as plain:
        with stage(api_url=plain.url.replace("http:", "https:")) as here:
            with pytest.raises(UnavailableError) as caught:
                here.tenant.agent(AGENT)
            assert caught.value.problem.code in {"http.tls", "http.cut"}
            assert here.tenant.write(CHANGE, seen()).failure is Failure.NOT_SENT
        assert plain.asked == []


# --- proxies ----------------------------------------------------------------------------------


def test_a_proxy_is_asked_only_where_one_is_given() -> None:
    answers = good_tenant()

    def forward(asked: Asked) -> Any:
        path = asked.target.split("//")[1].partition("/")[2]
        return answers[f"{asked.method} /{path}"]

    with ScriptedServer(forward) as proxy, stage(proxy=proxy.url) as here:
        assert isinstance(here.tenant.agent(AGENT), ObservedAgent)
        assert here.tenant.write(CHANGE, seen()).status == 200
        assert here.server.asked == []
        assert all(asked.target.startswith(here.server.url) for asked in proxy.asked)


class Tunnel:
    """A proxy that knows CONNECT only, and may hang up."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.opened = 0
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                head = b""
                while b"\r\n\r\n" not in head:
                    head += client.recv(4096)
                host, _, port = head.split()[1].decode().partition(":")
                target = socket.create_connection((host, int(port)))
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                self.opened += 1
                self._sockets += [client, target]
                for source, sink in ((client, target), (target, client)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)

    def hang_up(self) -> None:
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        for end in self._sockets:
            end.close()


def test_tls_goes_through_a_tunnel_and_never_around_it(authority: Authority) -> None:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(over_tls(authority.server()))
        tunnel = Tunnel()
        stack.callback(tunnel.close)
        clock = HastyClock()
        urls: dict[str, Any] = {"api_url": server.url, "token_url": f"{server.url}/oauth/token"}
        here = stack.enter_context(
            stage(**urls, ca_bundle=str(authority.bundle), proxy=tunnel.url, clock=clock)
        )
        assert isinstance(here.tenant.agent(AGENT), ObservedAgent)
        assert here.tenant.write(CHANGE, seen()).status == 200
        assert tunnel.opened == 1

        def hanging_up() -> None:
            tunnel.hang_up()
            threading.Event().wait(0.2)

        clock.meanwhile = hanging_up
        lost = here.tenant.write(CHANGE, seen())
        assert (lost.status, lost.failure) == (None, Failure.NOT_SENT)
        clock.meanwhile = lambda: None
        assert here.tenant.write(CHANGE, seen()).status == 200
        assert server.count(PATCH) == 2


def test_a_proxy_that_refuses_is_named_as_the_cause() -> None:
    with ScriptedServer(lambda _: answer(b"", 407)) as proxy:
        nobody = "https://127.0.0.1:1"
        with stage(api_url=nobody, token_url=f"{nobody}/token", proxy=proxy.url) as here:
            with pytest.raises(UnavailableError, match="The proxy failed") as caught:
                here.tenant.connect(write=False)
            assert caught.value.problem.code == "http.proxy"
        assert {asked.method for asked in proxy.asked} == {"CONNECT"}
