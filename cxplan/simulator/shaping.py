"""From an answer and a rule to the bytes that leave."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from http.client import responses
from typing import Any

from cxplan.simulator.exchange import Headers, Reply, decode_json, error_reply
from cxplan.simulator.rules import Rule

Fill = Callable[[str], str]

_OK = 200
_BODILESS = (204, 304)
_ERRORS = 400
_SUCCESSES = range(200, 300)


@dataclass(frozen=True, slots=True)
class Spoiled:
    """An answer as bytes: ``body`` is what is really sent, byte by byte where ``drip_s`` is set."""

    status: int
    head: bytes
    body: bytes
    drip_s: float


def filler(host: str, number: Callable[[], int]) -> Fill:
    """Return what fills ``{host}`` and, each time with a new number, ``{rand}`` into a text."""

    def fill(text: str) -> str:
        return re.sub(r"\{rand\}", lambda _: str(number()), text.replace("{host}", host))

    return fill


def spoil(rule: Rule, reply: Reply | None, base: Headers, fill: Fill) -> Spoiled:
    """Return what ``rule`` makes of ``reply``, or of nothing where the handler did not run.

    ``base`` are the headers that every answer has. The connection is closed after this answer.
    """
    answer = _answer(rule, reply, fill)
    bodiless = answer.status in _BODILESS and not answer.body
    length = None if bodiless else str(len(answer.body))
    head = _head(answer.status, _headers(rule, answer.headers + base, length, fill))
    return Spoiled(answer.status, head, answer.body[: rule.cut_after], rule.drip_ms / 1000)


def _answer(rule: Rule, reply: Reply | None, fill: Fill) -> Reply:
    """Return the answer with status and body decided, its headers still the handler's."""
    handled = reply or Reply(_OK)
    status = rule.status or handled.status
    own = _own_body(rule, fill)
    if own is not None:
        return Reply(status, own, handled.headers)
    if rule.status and status >= _ERRORS and rule.merge is None:
        return error_reply(status, "fault", "This answer was made by a fault rule.")
    body = b"" if status in _BODILESS else _handled_body(rule, handled, fill)
    return Reply(status, body, handled.headers)


def _own_body(rule: Rule, fill: Fill) -> bytes | None:
    if rule.filler_mb:
        return b"x" * (rule.filler_mb << 20)
    if isinstance(rule.body, str):
        return fill(rule.body).encode("utf-8", "surrogatepass")
    return rule.body


def _handled_body(rule: Rule, handled: Reply, fill: Fill) -> bytes:
    if rule.merge is None or handled.status not in _SUCCESSES:
        return handled.body
    return _merged(handled.body, json.loads(fill(json.dumps(rule.merge))))


def _merged(body: bytes, patch: Any) -> bytes:
    return json.dumps(_merge(decode_json(body), patch)).encode()


def _merge(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merge(merged.get(name), value)
    return merged


def _headers(rule: Rule, headers: Headers, length: str | None, fill: Fill) -> Headers:
    length = length if rule.content_length is None else rule.content_length
    own = {name.lower() for name, _ in rule.headers}
    framed = (*headers, *_framing(length), ("Connection", "close"))
    kept = [(name, value) for name, value in framed if not _overridden(name.lower(), own)]
    new = [(name, fill(value)) for name, values in rule.headers for value in values]
    huge = [("X-Filler", "x" * (rule.header_kb << 10))] if rule.header_kb else []
    return (*kept, *new, *huge)


def _framing(length: str | None) -> Headers:
    return () if length is None else (("Content-Length", length),)


def _overridden(name: str, own: set[str]) -> bool:
    return name in own or (name == "content-length" and "transfer-encoding" in own)


def _head(status: int, headers: Headers) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {responses.get(status, 'Unknown')}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
