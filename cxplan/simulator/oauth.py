"""The token endpoint, and what a bearer token is worth."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import parse_qsl, unquote_plus

from cxplan.simulator.draws import fingerprint
from cxplan.simulator.exchange import Call, Headers, Refusal, Reply, json_reply
from cxplan.simulator.options import Clock, Options

FORM = "application/x-www-form-urlencoded"
_NO_STORE: Headers = (("Cache-Control", "no-store"),)


@dataclass(frozen=True, slots=True)
class _Grant:
    scopes: frozenset[str]
    expires_at: float


class Tokens:
    """Client credentials in, access tokens out; lifetimes run on the given clock.

    Id, secret and tokens follow from the seed, so that a run can be repeated; they protect nothing.
    """

    def __init__(self, options: Options, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._grants: dict[str, _Grant] = {}
        self._issued = 0
        self.client_id = f"simulated-client-{options.seed}"
        self.client_secret = fingerprint("client secret", options.seed, length=40)

    def issue(self, call: Call) -> Reply:
        """Answer a token request.

        Raises:
            Refusal: 400, as RFC 6749 words it.
        """
        self._check_client(call.header("authorization"))
        asked = _parameters(call)
        if asked.get("grant_type") != "client_credentials":
            _refuse("unsupported_grant_type", "Only client_credentials is granted here.")
        granted = self._granted(asked.get("scope", "").split())
        lifetime = self._options.token_lifetime
        token = self._new_token(_Grant(frozenset(granted), self._clock.monotonic() + lifetime))
        return json_reply(
            200,
            {
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": lifetime,
                "scope": " ".join(granted),
            },
            _NO_STORE,
        )

    def require(self, authorization: str | None, scope: str) -> None:
        """Check that ``authorization`` holds a live bearer token with ``scope``.

        Raises:
            Refusal: 401 for a missing, unknown, withdrawn or expired token, 403 without the scope.
        """
        kind, _, token = (authorization or "").partition(" ")
        grant = self._grants.get(token) if kind.lower() == "bearer" else None
        if grant is None or grant.expires_at <= self._clock.monotonic():
            raise Refusal(
                401,
                "invalid_token",
                "The access token is missing, unknown or expired.",
                (("WWW-Authenticate", 'Bearer error="invalid_token"'),),
            )
        if scope not in grant.scopes:
            raise Refusal(403, "insufficient_scope", f"The access token lacks the scope {scope}.")

    def revoke(self) -> None:
        """Withdraw every access token that was issued so far."""
        self._grants.clear()

    def _new_token(self, grant: _Grant) -> str:
        now = self._clock.monotonic()
        live = {token: old for token, old in self._grants.items() if old.expires_at > now}
        self._issued += 1
        token = fingerprint("access token", self._options.seed, self._issued, length=40)
        self._grants = live | {token: grant}
        return token

    def _granted(self, asked: list[str]) -> list[str]:
        """Return the allowed ones of ``asked``, or all that is allowed where nothing is asked."""
        granted = [scope for scope in self._options.scopes if not asked or scope in asked]
        if not granted:
            _refuse("invalid_scope", "None of the scopes may be granted to this client.")
        return granted

    def _check_client(self, authorization: str | None) -> None:
        kind, _, encoded = (authorization or "").partition(" ")
        pairs = _credentials(encoded) if kind.lower() == "basic" else ()
        if (self.client_id, self.client_secret) not in pairs:
            _refuse("invalid_client", "The client is unknown or its secret is wrong.")


def _credentials(encoded: str) -> tuple[tuple[str, str], ...]:
    """Return id and secret as they stand and, as RFC 6749 wants it, with form encoding undone."""
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except ValueError:
        return ()
    client_id, _, secret = text.partition(":")
    return (client_id, secret), (unquote_plus(client_id), unquote_plus(secret))


def _parameters(call: Call) -> Mapping[str, str]:
    """Return the parameters of query and form body together."""
    body = call.body or b""
    kind = (call.header("content-type") or FORM).partition(";")[0].strip().lower()
    if body and kind != FORM:
        _refuse("invalid_request", f"The body must be {FORM}.")
    try:
        form = body.decode("utf-8")
    except UnicodeDecodeError:
        _refuse("invalid_request", "The body is not UTF-8.")
    pairs = parse_qsl(call.query, keep_blank_values=True) + parse_qsl(form, keep_blank_values=True)
    found = dict(pairs)
    if len(found) != len(pairs):
        _refuse("invalid_request", "A parameter is given more than once.")
    return found


def _refuse(error: str, message: str) -> NoReturn:
    raise Refusal(400, error, message, _NO_STORE)
