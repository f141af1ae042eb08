"""What a tenant says about a refusal, made fit for people and records: short, printable, no secret.

Whatever looks like a credential is taken out, whether or not it is one of ours, and ours in every
form that they travel in.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from cxplan.core.canonical import StrictJsonError, parse_json
from cxplan.core.secret import Secret
from cxplan.tenant.headers import printable

LONGEST = 2048
_SEARCHED = 8_192
_READ = 1 << 18
_CONTAINERS = 1000
_HIDDEN = "***"
_SHORTEST_SECRET = 4
_LOOKS_SECRET = (
    re.compile(r"(?i)\b(bearer|basic)\s+[^\s\"',;]+"),
    re.compile(
        r"(?i)([\w-]{0,32}(?:token|secret|passw(?:or)?d|authorization|api[_-]?key|credential)[\w-]{0,32})"
        r"(\\?[\"']?\s*[:=]\s*\\?[\"']?)[^\s\"',;&}\\]+"
    ),
    re.compile(r"\beyJ[\w-]{4,2048}\.[\w-]+(?:\.[\w-]*)?"),
)
_LONG_RUN = re.compile(r"[A-Za-z0-9+/_=-]{32,}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def detail(body: bytes, secrets: Iterable[Secret] = ()) -> str:
    """Return what ``body`` says in at most 2 KiB of printable text, credentials replaced."""
    return _cut(printable(redacted(_normal(body), secrets)))


def redacted(text: str, secrets: Iterable[Secret] = ()) -> str:
    """Return the first 8 Ki of ``text``, without ``secrets`` and without what looks like one."""
    text = without(text, secrets)[:_SEARCHED]
    bearer, named, jwt = _LOOKS_SECRET
    text = bearer.sub(rf"\1 {_HIDDEN}", text)
    text = named.sub(rf"\1\2{_HIDDEN}", text)
    text = jwt.sub(_HIDDEN, text)
    return _LONG_RUN.sub(lambda run: run[0] if _UUID.fullmatch(run[0]) else _HIDDEN, text)


def without(text: str, secrets: Iterable[Secret]) -> str:
    """Return ``text`` without ``secrets`` in any form that they travel in."""
    for secret in secrets:
        for form in _forms(secret.reveal()):
            text = text.replace(form, _HIDDEN)
    return text


def _forms(secret: str) -> list[str]:
    """The secret itself, URL-encoded and in base64, longest first."""
    if len(secret) < _SHORTEST_SECRET:
        return []
    raw = secret.encode()
    forms = {secret, quote(secret, safe=""), base64.b64encode(raw).decode()}
    forms.add(base64.urlsafe_b64encode(raw).decode().rstrip("="))
    return sorted(forms, key=len, reverse=True)


def _normal(body: bytes) -> str:
    """Undo JSON's escapes first, which would hide a secret from the search.

    A text in JSON that holds what looks like a credential goes whole: what stands beside one may
    be one too.
    """
    if len(body) > _READ:
        return withheld(_plain(body[:_READ])[:_SEARCHED])
    try:
        value: Any = parse_json(body, max_containers=_CONTAINERS)
    except StrictJsonError as error:
        text = _plain(body)
        return withheld(text[:_SEARCHED]) if error.code == "json.size" else text
    return json.dumps(_withheld(value), ensure_ascii=False, separators=(",", ":"))


def _withheld(value: Any) -> Any:
    """Recurse as deep as ``parse_json`` lets a body be."""
    if isinstance(value, dict):
        return {name: _withheld(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_withheld(part) for part in value]
    return withheld(value) if isinstance(value, str) else value


def withheld(text: str) -> str:
    """Return ``text``, or nothing of it where it holds what looks like a credential."""
    return _HIDDEN if any(look.search(text) for look in _LOOKS_SECRET) else text


def _plain(body: bytes) -> str:
    return " ".join(body.decode("utf-8", errors="replace").split())


def _cut(text: str) -> str:
    raw = text.encode()
    if len(raw) <= LONGEST:
        return text
    return raw[: LONGEST - 3].decode(errors="ignore") + "…"
