"""A request and an answer as plain values, between the server library and the operations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """One request: its number in the logs, and ``at``, its arrival in monotonic seconds.

    ``path`` and ``query`` are as sent, percent-encoded. Header names are lower case. ``body`` is
    None where it was over the limit and not kept.
    """

    sequence: int
    at: float
    method: str
    path: str
    query: str
    headers: Mapping[str, tuple[str, ...]]
    body: bytes | None

    def header(self, name: str) -> str | None:
        """Return the first value of header ``name`` (lower case), or None."""
        values = self.headers.get(name)
        return values[0] if values else None

    def parameter(self, name: str) -> str | None:
        """Return query parameter ``name``, or None where it is not given.

        Raises:
            Refusal: 400, given more than once.
        """
        values = [
            value for key, value in parse_qsl(self.query, keep_blank_values=True) if key == name
        ]
        if len(values) > 1:
            raise Refusal(400, "invalid_request", f"The parameter {name} is given more than once.")
        return values[0] if values else None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: ``body`` is JSON text, or empty."""

    status: int
    body: bytes = b""
    headers: Headers = ()


class Refusal(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, error: str, message: str, headers: Headers = ()) -> None:
        """Take the status, a short code and a sentence."""
        super().__init__(message)
        self.reply = error_reply(status, error, message, headers)


def json_reply(status: int, value: Any, headers: Headers = ()) -> Reply:
    """Return an answer with ``value`` as JSON."""
    return Reply(status, json.dumps(value, ensure_ascii=False).encode(), headers)


def error_reply(status: int, error: str, message: str, headers: Headers = ()) -> Reply:
    """Return an error answer: ``{"error": …, "message": …}``."""
    return json_reply(status, {"error": error, "message": message}, headers)


def decode_json(data: bytes) -> Any:
    """Return the value of JSON ``data``.

    Raises:
        ValueError: not UTF-8, not JSON, a member twice in one object, NaN or infinity, or too deep.
    """
    try:
        return _DECODER.decode(data.decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice in one object")
    return found


def _constant(_name: str) -> Any:
    raise ValueError("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
