"""The rules that the lines of a journal keep, for whoever writes them and whoever checks them.

Each line is one JSON object in the signed form with ``i`` (1, 2, 3 …), ``prev`` (the SHA-256 of
the line before without its newline; for the first line, of the payload of ``open``), ``at`` and
``kind``. ``run.start`` is the first, ``run.end`` the last. After an agent's ``agent.intent`` comes
its one ``agent.outcome``; a second intent of an agent (another try with a fresh ETag) may stand
before that outcome, never after it. An outcome without an intent is one of nothing sent.

A run that was cut off goes on with ``recovery.start``, once for each time that somebody began to
settle it. ``recovery.outcome`` says what was found out about an intent that was left open; that
agent's outcome still follows. Where the run was cut off before its ``run.start``, that line may
come after ``recovery.start``, or never: then there is no intent either.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cxplan.audit.limits import LINE_LIMIT
from cxplan.audit.refusal import Refused, shown
from cxplan.audit.schema import Records
from cxplan.core.canonical import StrictJsonError, parse_json, sha256_hex, signed_form
from cxplan.core.instant import parse_utc

START, END = "run.start", "run.end"
INTENT, OUTCOME = "agent.intent", "agent.outcome"
RECOVERY, RECOVERED = "recovery.start", "recovery.outcome"
OWN = frozenset({"i", "prev", "at", "kind"})
"""The members that the journal gives a line; the rest is its caller's."""

_KIND = re.compile(r"[a-z]+\.[a-zA-Z]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Record:
    """One line, taken apart."""

    number: int
    previous: str
    kind: str
    agent: str | None
    outcome: str | None


class Walk:
    """What the lines so far add up to.

    Whoever writes takes only lines that keep every rule. Whoever checks goes on along the chain
    where one is out of place: whether bytes were changed comes before what they say.
    """

    def __init__(self, start: str, place: str) -> None:
        """Begin after ``start``, the SHA-256 of the payload of ``open``, in hex."""
        self._place = place
        self._whole = hashlib.sha256()
        self._unsettled: set[str] = set()
        self._settled: set[str] = set()
        self._started = self._begun = False
        self.recovered = False
        self.count = self.intents = self.outcomes = self.size = 0
        self.last = start
        self.kind = ""
        self.tally: Counter[str] = Counter()

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file so far, in hex."""
        return self._whole.hexdigest()

    @property
    def here(self) -> str:
        """The place of the last line."""
        return f"{self._place}:{self.count}"

    def take(self, line: bytes) -> None:
        """Check the next line, without its newline, by every rule, and add it.

        Raises:
            Refused: as ``check`` and ``judge``.
        """
        record = self.check(line)
        self.judge(record)
        self.add(line, record)

    def check(self, line: bytes) -> Record:
        """Return the next line taken apart, where it is well formed and the chain goes on in it.

        Raises:
            Refused: ``audit.too_large``, ``audit.json``, ``audit.form``, ``audit.record`` or
                ``audit.chain``, with the line as its place.
        """
        place = self._next
        record = read_line(line, place)
        if (record.number, record.previous) != (self.count + 1, self.last):
            raise Refused("audit.chain", place, self._broken(record))
        return record

    @property
    def _next(self) -> str:
        return f"{self._place}:{self.count + 1}"

    def _broken(self, record: Record) -> str:
        if record.number != self.count + 1:
            return f"numbered {record.number}, where line {self.count + 1} is due"
        before = f"line {self.count}" if self.count else "open.dsse.json"
        return f"does not follow {before}: one of the two was changed"

    def judge(self, record: Record) -> None:
        """Check that the next line may stand where it does.

        Raises:
            Refused: ``audit.order`` or ``audit.pairs``, with the line as its place.
        """
        if misplaced := self._misplaced(record.kind):
            raise Refused("audit.order", self._next, misplaced)
        if record.kind in {INTENT, OUTCOME} and record.agent in self._settled:
            raise Refused("audit.pairs", self._next, "this agent's outcome stands before this line")
        if record.kind == RECOVERED and record.agent not in self._unsettled:
            raise Refused("audit.pairs", self._next, "no open intent of this agent stands before")

    def _misplaced(self, kind: str) -> str | None:
        """Return why a line of this kind may not stand next, or None."""
        if (kind == START and self._begun) or (self.count == 0 and kind not in {START, RECOVERY}):
            return f"{START} is the first line and no other"
        if self.kind == END:
            return f"nothing follows {END}"
        if kind == INTENT and not self._started:
            return f"no {START} stands before this intent"
        if kind == RECOVERED and not self.recovered:
            return f"no {RECOVERY} stands before this line"
        return None

    def add(self, line: bytes, record: Record) -> None:
        """Count a line that was checked."""
        self.count += 1
        self.last = sha256_hex(line)
        self.kind = record.kind
        self._started |= record.kind == START
        self._begun |= record.kind != RECOVERY
        self.recovered |= record.kind == RECOVERY
        self._whole.update(line + b"\n")
        self.size += len(line) + 1
        if record.agent is not None:
            self._add_agent(record.kind, record.agent, record.outcome or "")

    def _add_agent(self, kind: str, agent: str, outcome: str) -> None:
        if kind == INTENT:
            self.intents += 1
            self._unsettled.add(agent)
        elif kind == OUTCOME:
            self.outcomes += 1
            self.tally[outcome] += 1
            self._unsettled.discard(agent)
            self._settled.add(agent)

    def totals(self) -> Records:
        """Return the counts as a seal states them."""
        return Records.model_validate(
            {
                "count": self.count,
                "intents": self.intents,
                "outcomes": self.outcomes,
                "last": {"sha256": self.last},
            }
        )

    def finish(self, agents: frozenset[str], summary: Mapping[str, int]) -> None:
        """Check that the journal is whole: one outcome for each of ``agents`` and no other.

        Raises:
            Refused: ``audit.order``, ``audit.pairs``, ``audit.agents`` or ``audit.counts``.
        """
        if self.kind != END:
            raise Refused("audit.order", self.here, f"the last line is not {END}")
        if self._unsettled:
            agent = shown(min(self._unsettled))
            raise Refused("audit.pairs", self._place, f"no outcome follows the intent of {agent}")
        if self._settled != agents:
            agent = shown(min(self._settled ^ agents))
            raise Refused(
                "audit.agents", self._place, f"outcomes and plan differ in the agent {agent}"
            )
        if self.tally != +Counter(summary):
            raise Refused("audit.counts", self._place, "the summary differs from the outcomes")


def read_line(line: bytes, place: str) -> Record:
    """Return one line, taken apart; its place in the chain is not looked at.

    Raises:
        Refused: ``audit.too_large``, ``audit.json``, ``audit.form`` or ``audit.record``.
    """
    if len(line) > LINE_LIMIT:
        raise Refused("audit.too_large", place, f"a line of more than {LINE_LIMIT} bytes")
    value = _parsed(line, place)
    try:
        return _taken_apart(value)
    except (KeyError, TypeError, ValueError):
        raise Refused("audit.record", place, "a line lacks what each must have") from None


def _parsed(line: bytes, place: str) -> Any:
    try:
        value = parse_json(line)
        if signed_form(value) == line:
            return value
    except StrictJsonError as error:
        raise Refused("audit.json", place, str(error)) from None
    except ValueError:
        pass
    raise Refused("audit.form", place, "not in the form that cxplan writes")


def _taken_apart(value: Any) -> Record:
    parse_utc(value["at"])
    kind = _text(value["kind"])
    number = value["i"]
    if not _KIND.fullmatch(kind) or type(number) is not int:
        raise ValueError("kind or number")
    about_agent = kind.startswith("agent.") or kind == RECOVERED
    return Record(
        number=number,
        previous=_text(value["prev"]),
        kind=kind,
        agent=_text(value["agentId"]) if about_agent else None,
        outcome=_text(value["outcome"]) if kind == OUTCOME else None,
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
