"""What the headers of an answer say, read by grammar; anything else counts as not there."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from cxplan.core.ids import ETag
from cxplan.tenant.messages import Headers, Refused, Trouble

_KEPT = frozenset({"date", "etag", "retry-after", "content-type", "x-request-id"})
_LONGEST = 256
_DIGITS = re.compile(r"[0-9]{1,18}")
_STRONG_TAG = re.compile(r'"[\x21\x23-\x7e]*"')
_JSON = re.compile(r"(?:application|text)/(?:[a-z0-9.+_-]{1,64}\+)?json")


def values(headers: Headers, name: str) -> list[str]:
    """Return every value that was sent under ``name``."""
    return [value for key, value in headers if key == name]


def single(headers: Headers, name: str) -> str | None:
    """Return the value of ``name`` where it was sent exactly once."""
    found = values(headers, name)
    return found[0] if len(found) == 1 else None


def refused_framing(headers: Headers) -> str | None:
    """Return the code of what is wrong with a body before it is read, or None.

    An encoding that was not asked for, or a length that two readers would take differently.
    """
    encodings = (value.strip().lower() for value in values(headers, "content-encoding"))
    if any(encoding not in {"", "identity"} for encoding in encodings):
        return "http.encoding"
    lengths = values(headers, "content-length")
    plain = all(_DIGITS.fullmatch(value.strip()) for value in lengths)
    return None if plain else "http.protocol"


def strong_etag(headers: Headers) -> ETag | None:
    """Return the strong entity tag (RFC 9110 section 8.8.3), or None where there is no such one.

    Raises:
        Refused: the value ends inside its quotes, so the header was torn apart.
    """
    value = single(headers, "etag")
    if value is None:
        return None
    if value.startswith('"') and value.find('"', 1) < 0:
        raise Refused(Trouble("http.protocol", "The tenant's ETag header is torn apart."))
    fits = len(value) <= _LONGEST and _STRONG_TAG.fullmatch(value)
    return ETag(value) if fits else None


def is_json(headers: Headers) -> bool:
    """Tell whether the body may be JSON; an answer that says nothing of its type may."""
    found = values(headers, "content-type")
    return all(_JSON.fullmatch(value.split(";")[0].strip().lower()) for value in found)


def kept(headers: Headers) -> Headers:
    """Return the few headers that a record may hold, printable, of any length."""
    return tuple((name, printable(value)) for name, value in headers if name in _KEPT)


def printable(text: str) -> str:
    """Return ``text`` with every character that does not print written as its number."""
    return "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in text)


def location_origin(headers: Headers) -> str:
    """Return the origin that a redirect leads to, for people, or words where it names none."""
    try:
        parts = urlsplit(single(headers, "location") or "")
        host, port = parts.hostname, parts.port
    except ValueError:
        return "an address that is no URL"
    if not host:
        return "another path"
    place = host if port is None else f"{host}:{port}"
    return printable(f"{parts.scheme}://{place}")[:_LONGEST]
