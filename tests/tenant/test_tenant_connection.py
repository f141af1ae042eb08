"""Addresses and credentials that people set."""

from __future__ import annotations

from typing import Any

import pytest

from cxplan.core.errors import InvalidError
from cxplan.core.secret import Secret
from cxplan.tenant.connection import Connection, Site, parse_site
from cxplan.tenant.session import Http
from tests.tenant.stage import SECRET, assert_no_canary

GOOD: dict[str, Any] = {
    "api_url": "https://api.example",
    "token_url": "https://auth.example/oauth/token",
    "client_id": "client",
    "client_secret": Secret(SECRET),
}


@pytest.mark.parametrize(
    ("url", "site", "origin"),
    [
        ("https://api.example", Site("https", "api.example", 443), "https://api.example"),
        ("https://API.example:443/", Site("https", "api.example", 443), "https://api.example"),
        ("https://a.b:8443/x/y/", Site("https", "a.b", 8443, "/x/y"), "https://a.b:8443"),
        ("http://127.0.0.1:80", Site("http", "127.0.0.1", 80), "http://127.0.0.1"),
        ("http://[::1]:8080", Site("http", "::1", 8080), "http://[::1]:8080"),
    ],
)
def test_a_site_is_an_origin_and_a_base(url: str, site: Site, origin: str) -> None:
    assert parse_site(url, "--api-url") == site
    assert site.origin == origin


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.10", "[::1]"])
def test_loopback_may_do_without_tls(host: str) -> None:
    assert Connection(**GOOD | {"api_url": f"http://{host}:8080"}).api.scheme == "http"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://api.example", "http.scheme"),
        ("http://10.0.0.1", "http.scheme"),
        ("http://localhost.evil.example", "http.scheme"),
        ("http://127.0.0.1.evil.example", "http.scheme"),
        ("ftp://api.example", "http.scheme"),
        ("api.example", "http.scheme"),
        ("", "usage"),
        ("https://", "usage"),
        ("https://user:CXCANARY-client-secret-4711@api.example", "http.userinfo"),
        ("https://@api.example", "http.userinfo"),
        ("https://api.example/?tenant=x", "usage"),
        ("https://api.example/#x", "usage"),
        ("https://api.example:0", "usage"),
        ("https://api.example:99999", "usage"),
        ("https://api.example:x", "usage"),
        ("https://[::1", "usage"),
        ("https://api.example\\@evil.example", "usage"),
        ("https://api.example\n", "usage"),
        ("https://\u0430pi.example", "usage"),
        ("https://api example", "usage"),
    ],
)
@pytest.mark.parametrize("option", ["api_url", "token_url"])
def test_an_address_that_cannot_be_meant_is_refused_by_its_option(
    url: str, code: str, option: str
) -> None:
    with pytest.raises(InvalidError, match=f"--{option.replace('_', '-')}") as caught:
        Connection(**GOOD | {option: url})
    assert caught.value.problem.code == code
    assert_no_canary(caught.value)


@pytest.mark.parametrize(
    "parts",
    [
        {"client_id": ""},
        {"client_id": "a:b"},
        {"client_id": "a\r\nX: 1"},
        {"client_secret": Secret("")},
        {"client_secret": Secret(f"{SECRET}\n")},
        {"client_secret": Secret(f"{SECRET}\u00e4")},
        {"read_width": 0},
        {"read_width": 65},
        {"max_rps": 0.0},
        {"max_rps": float("nan")},
        {"proxy": "http://user:CXCANARY-client-secret-4711@proxy.example:3128"},
        {"proxy": "socks5://proxy.example"},
        {"proxy": "http://proxy.example/path"},
    ],
)
def test_what_cannot_work_is_refused_before_use(parts: dict[str, Any]) -> None:
    with pytest.raises(InvalidError) as caught:
        Connection(**GOOD | parts)
    assert_no_canary(caught.value)


def test_a_connection_does_not_print_its_secret() -> None:
    assert_no_canary(Connection(**GOOD))


@pytest.mark.parametrize("content", [None, "", "not a certificate"])
def test_a_ca_bundle_that_cannot_be_read_is_refused(tmp_path: Any, content: str | None) -> None:
    bundle = tmp_path / "ca.pem"
    if content is not None:
        bundle.write_text(content)
    connection = Connection(**GOOD | {"ca_bundle": str(bundle)})
    nothing: Any = None  # it ends before it needs a clock or a pacer
    with pytest.raises(InvalidError, match="--ca-bundle"):
        Http(connection, nothing, nothing)
