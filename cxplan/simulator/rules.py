"""Fault rules: which requests go wrong, and how.

A rule looks at every request of its method and path and counts them. It acts on those between
``first`` and ``first + times - 1`` for which its draw comes up. Of several rules that would act on
one request the first in the list does.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cxplan.simulator.draws import draws


class Moment(StrEnum):
    """On which side of the real handling something happens."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Foreign:
    """A change by another admin; ``agent_id`` of None is the agent that the request is about.

    ``touch`` moves the entity tag and nothing else.
    """

    agent_id: str | None = None
    skill: str | None = None
    level: int | None = None
    concurrent: int | None = None
    work_mode: str | None = None
    maximum: int | None = None
    touch: bool = False

    @property
    def values(self) -> tuple[int | None, int | None, int | None]:
        """Level, concurrency and maximum of the skill, as far as they are set."""
        return self.level, self.concurrent, self.maximum


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``*`` in ``path`` stands for anything but a slash, ``**`` for anything at all.

    Attributes:
        method: Such as ``PATCH``, or ``*``.
        path: Without query, as sent.
        first: The first request that the rule acts on, counted from 1.
        times: On how many requests in a row; None for all that follow.
        probability: Chance that it acts on one of those.
        status: Answered in place of the handler's.
        headers: Replaces all headers of a name; no values at all delete it.
        body: Text, in which ``{rand}`` and ``{host}`` are filled in, or bytes sent as they are.
        filler_mb: A body of that many MiB.
        merge: A JSON merge patch (RFC 7396: null deletes) on the body of a handler's 2xx.
        delay_ms: The answer waits that long after the handling.
        drip_ms: The body leaves byte by byte, this far apart.
        cut_after: Bytes of the body after which the connection is closed.
        reset: The connection is reset without an answer.
        close: The connection is closed without an answer.
        content_length: Sent as it is, whatever the body.
        header_kb: Size of one more header.
        foreign: Another admin's change before the handling.
        foreign_after: Another admin's change after the handling, before the answer.
        commit: Whether the real handler runs; see ``handles``.
        commit_delay_ms: The real handler runs only that long after the request was answered.
        revoke_tokens: Every access token is withdrawn before the handling.
    """

    method: str
    path: str
    first: int = 1
    times: int | None = None
    probability: float = 1.0
    status: int | None = None
    headers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    body: str | bytes | None = None
    filler_mb: int = 0
    merge: Mapping[str, Any] | None = None
    delay_ms: int = 0
    drip_ms: int = 0
    cut_after: int | None = None
    reset: Moment | None = None
    close: Moment | None = None
    content_length: str | None = None
    header_kb: int = 0
    foreign: Foreign | None = None
    foreign_after: Foreign | None = None
    commit: bool | None = None
    commit_delay_ms: int | None = None
    revoke_tokens: bool = False

    @property
    def hang_up(self) -> Moment | None:
        """When the connection ends without an answer, if it does."""
        return self.reset or self.close

    @property
    def replaces(self) -> bool:
        """Whether the rule has an answer of its own."""
        return self.status is not None or self.body is not None or self.filler_mb > 0

    @property
    def handles(self) -> bool:
        """Whether the real handler runs before the answer.

        ``commit`` decides where it is given. Otherwise the handler does not run where the rule
        answers in its place or hangs up before.
        """
        if self.commit_delay_ms is not None:
            return False
        if self.commit is not None:
            return self.commit
        if self.hang_up:
            return self.hang_up is Moment.AFTER
        return self.merge is not None or not self.replaces


class RuleBook:
    """The rules of a running simulator, each with its count and its draws."""

    def __init__(self, rules: Iterable[Rule], seed: int) -> None:
        self._seed = seed
        self._numbers = itertools.count(1)
        self._watchers: list[_Watcher] = []
        for rule in rules:
            self.add(rule)

    def add(self, rule: Rule) -> None:
        """Append a rule; its count begins now."""
        rng = draws("rule", self._seed, len(self._watchers))
        self._watchers.append(_Watcher(rule, rng))

    def acting_on(self, method: str, path: str) -> Rule | None:
        """Count a request with every rule that it matches; return the first rule that acts."""
        acting = [watcher.rule for watcher in self._watchers if watcher.acts(method, path)]
        return acting[0] if acting else None

    def fresh_number(self) -> int:
        """Return a number that was never returned before."""
        return next(self._numbers)


class _Watcher:
    def __init__(self, rule: Rule, rng: random.Random) -> None:
        self.rule = rule
        self._pattern = _compiled(rule.path)
        self._rng = rng
        self._seen = 0

    def acts(self, method: str, path: str) -> bool:
        rule = self.rule
        if rule.method not in ("*", method) or not self._pattern.fullmatch(path):
            return False
        self._seen += 1
        past = rule.times is not None and self._seen >= rule.first + rule.times
        if self._seen < rule.first or past:
            return False
        return self._rng.random() < rule.probability


def _compiled(glob: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*)", glob)
    wild = {"**": ".*", "*": "[^/]*"}
    return re.compile("".join(wild.get(part) or re.escape(part) for part in parts), re.DOTALL)
