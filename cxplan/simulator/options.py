"""How a simulated tenant behaves."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cxplan.simulator.rules import Rule

SCOPES = ("agent:read", "agent:write", "wfm:read", "events:publish", "skill:read")


class Clock(Protocol):
    """The time that the tenant lives in: token lifetimes, rate window, timestamps."""

    def now(self) -> datetime:
        """Return the wall clock as an aware datetime."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of one simulator; the defaults are a plain, well-behaved tenant.

    Attributes:
        port: On 127.0.0.1; 0 takes a free one.
        seed: Makes client id, secret, tokens, tags and the draws of the fault rules.
        faults: Rules in force from the start.
        patches_per_second: PATCHes accepted within any second; more are answered 429.
        conflict_status: Answer to a stale If-Match, 412 or 409.
        latency_ms: Delay of every answer.
        token_lifetime: Seconds.
        skills_page: Items on a page of every list but the agents'.
        log_port: Where the logs can be read, 0 for a free port, None for nowhere.
        scopes: What the client may be granted.
        missing: Operation ids of the contract that this tenant answers with 404.
        tls: Serves https with this context.
    """

    port: int = 0
    seed: int = 0
    faults: tuple[Rule, ...] = ()
    patches_per_second: int = 5
    conflict_status: int = 412
    latency_ms: int = 0
    token_lifetime: int = 3600
    skills_page: int = 5
    log_port: int | None = None
    scopes: tuple[str, ...] = SCOPES
    missing: frozenset[str] = frozenset()
    tls: ssl.SSLContext | None = None
