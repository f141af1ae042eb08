"""The token: asked for once for all threads, and renewed before it ends.

OAuth 2.0 client credentials with HTTP Basic (RFC 6749 sections 2.3.1 and 4.4).
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from cxplan.core.answers import Failure
from cxplan.core.errors import AuthError, TenantError, UnavailableError
from cxplan.core.secret import Secret
from cxplan.core.steps import ATTEMPTS, LONGEST_PAUSE
from cxplan.ports import Clock
from cxplan.tenant import retry
from cxplan.tenant.connection import Connection, Site
from cxplan.tenant.grant import READING, WRITING, read_grant, refusal
from cxplan.tenant.headers import printable, single
from cxplan.tenant.messages import Broken, Call, Outcome, Reply, Trouble

Exchange = Callable[[Site, Call], Outcome]

_EARLY = 60.0
_PASSING = frozenset({"http.unavailable", *retry.PASSING})
_NOBODY_ASKED = UnavailableError("No token was asked for.")


@dataclass(frozen=True, slots=True)
class Token:
    """A usable token, and until when (monotonic) it serves."""

    text: Secret
    serves_until: float
    tenant_id: str | None = None
    server_date: str | None = None

    @property
    def authorization(self) -> Secret:
        """The header that carries it."""
        return Secret(f"Bearer {self.text.reveal()}")


class Tokens:
    """The one token of a run, shared by all threads."""

    def __init__(
        self, connection: Connection, exchange: Exchange, clock: Clock, jitter: retry.Jitter
    ) -> None:
        """Ask nobody yet; the scopes are those for reading until ``require`` says more."""
        self._site = connection.token
        self._basic = _basic(connection)
        self._exchange = exchange
        self._clock = clock
        self._jitter = jitter
        self._scopes: tuple[str, ...] = READING
        self._lock = threading.Lock()
        self._flights = 0
        self._last: Token | TenantError = _NOBODY_ASKED

    def require(self, *, write: bool) -> Token:
        """Ask for a token with the scopes for reading, and for writing where ``write`` says so.

        Raises:
            AuthError: credentials, scopes or certificate refused, or a token that is not usable.
            UnavailableError: the token endpoint cannot be reached or keeps failing.
        """
        with self._lock:
            self._scopes = READING + WRITING if write else READING
            self._last = _NOBODY_ASKED
        return self.get()

    def get(self) -> Token:
        """Return a token that serves for a while yet, asking for one where there is none."""
        flights = self._flights  # read first: a flight that ends in between must be noticed
        last = self._last
        if isinstance(last, Token) and self._clock.monotonic() < last.serves_until:
            return last
        return self._fly(flights)

    def renew(self, rejected: Token) -> Token:
        """Return another token than ``rejected``, which the tenant has just refused."""
        flights = self._flights
        last = self._last
        if isinstance(last, Token) and last is not rejected:
            return last
        return self._fly(flights)

    def _fly(self, flights: int) -> Token:
        """Ask, unless somebody did since ``flights`` was read: then share what they got.

        A refusal is final: nobody asks again with what was refused.
        """
        with self._lock:
            if flights == self._flights and not isinstance(self._last, AuthError):
                self._last = self._ask()
                self._flights += 1
            last = self._last
        if isinstance(last, Token):
            return last
        # A fresh error for each thread: one instance must not be raised in two.
        raise type(last)(last.problem.summary, code=last.problem.code, hint=last.problem.hint)

    def _ask(self) -> Token | TenantError:
        try:
            return self._granted()
        except TenantError as error:
            return error

    def _granted(self) -> Token:
        asked = self._clock.monotonic()
        reply = self._answered()
        grant = read_grant(reply.body, self._scopes)
        date = single(reply.headers, "date")
        return Token(
            text=grant.token,
            serves_until=asked + grant.life - min(_EARLY, grant.life / 5),
            tenant_id=grant.tenant_id,
            server_date=printable(date)[:64] if date else None,
        )

    def _answered(self) -> Reply:
        """Return the 200 after four attempts at most; waits that the endpoint asks for count."""
        effort = retry.Effort()
        while True:
            outcome = self._exchange(self._site, self._call())
            effort = effort.plus(outcome)
            match retry.decide(outcome, effort, self._clock.now(), self._jitter):
                case retry.Take(reply) if reply.ok:
                    return reply
                case retry.Take(reply) | retry.Renew(reply):
                    raise refusal(reply.status, reply.body, self._scopes)
                case retry.Wait(seconds):
                    effort = self._wait(seconds, effort)
                case retry.Throttled(retry_after):
                    effort = self._wait(_pause(retry_after, effort, self._jitter), effort)
                case retry.GiveUp(trouble):
                    raise self._unanswered(outcome, trouble)

    def _wait(self, seconds: float, effort: retry.Effort) -> retry.Effort:
        self._clock.sleep(seconds)
        return effort.waited(seconds)

    def _call(self) -> Call:
        form = urlencode({"grant_type": "client_credentials", "scope": " ".join(self._scopes)})
        return Call(
            "POST",
            self._site.base or "/",
            authorization=self._basic,
            headers=(("Content-Type", "application/x-www-form-urlencoded"),),
            body=form.encode,
        )

    def _unanswered(self, outcome: Outcome, trouble: Trouble) -> TenantError:
        if isinstance(outcome, Broken) and outcome.failure is Failure.CERTIFICATE:
            return refused_certificate(self._site, trouble)
        kind = UnavailableError if trouble.code in _PASSING else AuthError
        return kind(
            f"No token from {self._site.address}: {trouble.reason}",
            code=trouble.code,
            hint="Check --token-url, the network and --proxy.",
        )


def refused_certificate(site: Site, why: Trouble) -> AuthError:
    """Return the error of a certificate that does not prove ``site`` to be who it says."""
    return AuthError(
        f"The certificate of {site.address} was refused: {why.reason}.",
        code="http.tls",
        hint="Check the address; where your own authority signs, give its file by --ca-bundle.",
    )


def _pause(retry_after: float | None, effort: retry.Effort, jitter: retry.Jitter) -> float:
    """Return the pause after a 429, or end where it is the fourth or asks for over a minute."""
    pause = max(1.0, jitter() * 2.0**effort.attempts) if retry_after is None else retry_after
    if effort.attempts >= ATTEMPTS or pause > LONGEST_PAUSE:
        raise UnavailableError(
            f"The token endpoint answers 429 and asks to wait {pause:.0f} seconds.",
            code="http.rate_limited",
            hint="Run again after that time.",
        )
    return pause


def _basic(connection: Connection) -> Secret:
    pair = f"{connection.client_id}:{connection.client_secret.reveal()}"
    return Secret("Basic " + base64.b64encode(pair.encode()).decode())
