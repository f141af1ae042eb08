"""JSON, strictly: what is read is unambiguous, what is written has one form only.

Reading refuses what two languages would read differently: duplicate members, NaN and infinities,
numbers beyond the interoperable range of RFC 8259, lone surrogates, deep nesting, bytes that are
not UTF-8. Writing has two forms: RFC 8785 for plans and digests, and compact ASCII with sorted
members and integers only for what is signed or kept in a journal.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import rfc8785

MAX_DEPTH = 64
MAX_INTEGER = 2**53 - 1

_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
"""Strings, whose brackets count for nothing, even unclosed, and brackets."""

_QUOTE = ord('"')


class StrictJsonError(ValueError):
    """The bytes are not JSON in the strict sense; ``code`` says why, never what stands there."""

    def __init__(self, code: str, message: str) -> None:
        """Keep a short code such as ``json.duplicate`` beside the sentence."""
        super().__init__(message)
        self.code = code


def parse_json(
    data: bytes, *, max_depth: int = MAX_DEPTH, max_containers: int | None = None
) -> Any:
    """Return the value of strict JSON ``data``; objects become dicts, arrays lists.

    Raises:
        StrictJsonError: not UTF-8, not JSON, a duplicate member, NaN or infinity, an integer
            beyond 2**53-1, a lone surrogate, nesting over ``max_depth``, or more objects and
            lists than ``max_containers``.
    """
    _refuse_structure(data, max_depth, max_containers)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise StrictJsonError("json.encoding", "not UTF-8") from None
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise StrictJsonError(
            "json.syntax", f"not JSON: line {error.lineno} column {error.colno}"
        ) from None
    except RecursionError:
        raise StrictJsonError("json.depth", "nested too deeply") from None
    if "\\u" in text:
        _refuse_surrogates(value)
    return value


def _refuse_structure(data: bytes, limit: int, containers: int | None) -> None:
    """Count before anything is built: small objects take ten times their bytes in memory."""
    if data.count(b"[") + data.count(b"{") <= limit:
        return
    depth = seen = 0
    for found in _STRUCTURE.finditer(data):
        mark = data[found.start()]
        if mark == _QUOTE:
            continue
        opens = mark in b"[{"
        depth += 1 if opens else -1
        seen += opens
        if containers is not None and seen > containers:
            raise StrictJsonError("json.size", f"more than {containers:,} objects and lists")
        if depth > limit:
            raise StrictJsonError("json.depth", f"nested more than {limit} deep")


def _refuse_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise StrictJsonError("json.surrogate", "a lone surrogate in a string") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise StrictJsonError("json.duplicate", "a member name stands twice in one object")
    return found


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(number := int(digits)) > MAX_INTEGER:  # noqa: PLR2004 - 2**53-1 has 16 digits and may have a sign
        raise StrictJsonError("json.number", "an integer beyond 2**53-1")
    return number


def _float(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise StrictJsonError("json.number", "a number beyond the range of a double")
    return number


def _constant(_name: str) -> Any:
    raise StrictJsonError("json.number", "NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_float,
    parse_constant=_constant,
)


def canonical(value: Any) -> bytes:
    """Return the RFC 8785 form of ``value``: UTF-8, members sorted by UTF-16 code units.

    Raises:
        ValueError: ``value`` holds something that RFC 8785 cannot carry.
    """
    if _plain(value):
        with suppress(UnicodeEncodeError):
            return _ENCODER.encode(value).encode("utf-8")
    return rfc8785.dumps(value)


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)
"""Writes plain values as RFC 8785 has them, at a fifth of the cost."""


def _plain(value: Any) -> bool:
    """Tell whether RFC 8785 asks for nothing of its own: no floats, names in ASCII, small integers.

    Names of other letters may be ordered otherwise by UTF-16.
    """
    kind = value.__class__
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return bool(-MAX_INTEGER <= value <= MAX_INTEGER)
    if kind is dict:
        return all(key.__class__ is str and key.isascii() for key in value) and all(
            map(_plain, value.values())
        )
    return kind in (list, tuple) and all(map(_plain, value))


def signed_form(value: Any) -> bytes:
    """Return the form of everything that is signed or journalled: ASCII, compact, sorted members.

    Raises:
        ValueError: a float anywhere, since two languages may print it differently.
    """
    _refuse_floats(value)
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return text.encode("ascii")


def _refuse_floats(value: Any) -> None:
    """Walk dicts, lists and tuples; their depth is ours, so recursion is bounded."""
    if isinstance(value, float):
        raise ValueError("signed JSON holds integers only")  # noqa: TRY004 - the value is wrong, not the call
    children: Any = ()
    if isinstance(value, dict):
        children = value.values()
    elif isinstance(value, list | tuple):
        children = value
    for child in children:
        _refuse_floats(child)


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of ``data`` as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def digest(value: Any, form: Callable[[Any], bytes] = canonical) -> str:
    """Return ``sha256:…`` over the canonical bytes of ``value``."""
    return f"sha256:{sha256_hex(form(value))}"
