"""Reading from a tenant: one GET with its retries, its token and its place in the gate."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NoReturn

from cxplan.core.answers import Failure
from cxplan.core.canonical import StrictJsonError, parse_json
from cxplan.core.errors import AuthError, UnavailableError
from cxplan.core.instant import utc_text
from cxplan.ports import Clock
from cxplan.tenant import retry
from cxplan.tenant.connection import Site
from cxplan.tenant.headers import is_json
from cxplan.tenant.messages import Broken, Call, Forbidden, Outcome, Refused, Reply, Trouble
from cxplan.tenant.oauth import Exchange, Token, Tokens, refused_certificate
from cxplan.tenant.pacing import Held, ReadGate

_BOM = b"\xef\xbb\xbf"


class Reads:
    """GETs of one tenant, from any number of threads."""

    def __init__(
        self,
        exchange: Exchange,
        site: Site,
        tokens: Tokens,
        gate: ReadGate,
        clock: Clock,
        jitter: retry.Jitter,
    ) -> None:
        """Nobody has answered yet: until somebody does, an unreachable tenant ends the command."""
        self._exchange = exchange
        self._site = site
        self._tokens = tokens
        self._gate = gate
        self._clock = clock
        self._jitter = jitter
        self._reached = False

    def get(self, target: str) -> Reply:
        """Return the answer that stands: 2xx with a whole body, or a 4xx that is no 401 or 429.

        Raises:
            Refused: redirected, cut, too large, encoded, against HTTP, or failing for good.
            AuthError: the token was refused twice, or the certificate.
            UnavailableError: the tenant cannot be reached, or asks for a pause over a minute.
        """
        effort = retry.Effort()
        token = self._tokens.get()
        renewed = False
        while True:
            outcome, generation = self._once(target, token)
            counted = effort.plus(outcome)
            match retry.decide(outcome, counted, self._clock.now(), self._jitter):
                case retry.Take(reply):
                    return reply
                case retry.Wait(seconds):
                    self._clock.sleep(seconds)
                    effort = counted.waited(seconds)
                case retry.Throttled(retry_after):
                    self._throttled(generation, retry_after)
                case retry.Renew():
                    if renewed:
                        raise refused_twice()
                    token, renewed = self._tokens.renew(token), True
                case retry.GiveUp(trouble):
                    self._give_up(outcome, trouble)

    def _once(self, target: str, token: Token) -> tuple[Outcome, int]:
        try:
            with self._gate.slot() as generation:
                outcome = self._exchange(self._site, Call("GET", target, token.authorization))
        except Held as held:
            raise self._rate_limited(held.seconds) from None
        if isinstance(outcome, Reply):
            self._reached = True
            if outcome.status != 429:  # noqa: PLR2004 - too many requests
                self._gate.answered()
        return outcome, generation

    def _throttled(self, generation: int, retry_after: float | None) -> None:
        try:
            self._gate.throttled(generation, retry_after)
        except Held as held:
            raise self._rate_limited(held.seconds) from None

    def _rate_limited(self, seconds: float) -> UnavailableError:
        until = utc_text(self._clock.now() + timedelta(seconds=seconds))
        return UnavailableError(
            f"The tenant answers 429 and asks to wait until {until}.",
            code="http.rate_limited",
            hint="Run again after that time, or with a lower --concurrency.",
        )

    def _give_up(self, outcome: Outcome, trouble: Trouble) -> NoReturn:
        if isinstance(outcome, Broken):
            if outcome.failure is Failure.CERTIFICATE:
                raise refused_certificate(self._site, trouble)
            if outcome.failure is Failure.NOT_SENT and not self._reached:
                raise UnavailableError(
                    f"{self._site.address} cannot be reached: {trouble.reason}",
                    code=trouble.code,
                    hint="Check --api-url, the network and --proxy; nothing was read.",
                )
        raise Refused(trouble)


def refused_twice() -> AuthError:
    """Return the error of a fresh token that the tenant refuses like the one before it."""
    return AuthError(
        "The tenant refuses the token, also a fresh one (401).",
        hint="Check that --api-url and --token-url belong to the same tenant as the client.",
    )


_CODES = {"json.depth": "http.depth", "json.size": "http.too_large"}
MOST_CONTAINERS = 200_000
"""Objects and lists in one answer."""


def content(reply: Reply, scope: str) -> Any:
    """Return the JSON value of a 200, which ``scope`` allows to read; None for a 204.

    Raises:
        Forbidden: 403.
        Refused: any other status, a content type that is not JSON, or a body that is not.
    """
    match reply.status:
        case 200:
            return decoded(reply)
        case 204:
            return None
        case 403:
            raise Forbidden(scope)
        case status:
            raise Refused(Trouble("http.status", f"The tenant answers {status}."))


def decoded(reply: Reply) -> Any:
    """Return the JSON value of the body, whatever the status; a byte order mark is tolerated.

    Raises:
        Refused: ``http.content_type``, ``http.too_large``, ``http.depth`` or ``http.json``.
    """
    if not is_json(reply.headers):
        raise Refused(Trouble("http.content_type", "The answer does not say that it is JSON."))
    try:
        return parse_json(reply.body.removeprefix(_BOM), max_containers=MOST_CONTAINERS)
    except StrictJsonError as error:
        code = _CODES.get(error.code, "http.json")
        reason = f"The answer is not strict JSON: {error}."
    raise Refused(Trouble(code, reason))
