"""Lines that are longer than a terminal is wide, broken at blanks and indented; never in a pipe."""

from __future__ import annotations

import re

_SGR = re.compile(r"\x1b\[[0-9;]*m")
_HANG = 4
NARROWEST = 40
"""Narrower terminals are left to wrap by themselves."""


def wrap(text: str, width: int) -> str:
    """Return ``text`` with no line wider than ``width``, but for words that are wider themselves.

    Continuations are indented four columns more than their line.
    """
    if width < NARROWEST:
        return text
    return "".join(_wrapped(line, width) for line in text.splitlines(keepends=True))


def _visible(text: str) -> int:
    return len(_SGR.sub("", text))


def _wrapped(line: str, width: int) -> str:
    body = line.rstrip("\n")
    if _visible(body) <= width:
        return line
    plain = _SGR.sub("", body)
    hang = " " * (len(plain) - len(plain.lstrip()) + _HANG)
    lines, current = [], ""
    for word in re.split(r"(?<=\S)(?= )", body):
        if current.strip() and _visible(current + word) > width:
            lines.append(current)
            current = hang + word.lstrip(" ")
        else:
            current += word
    return "\n".join([*lines, current]) + line[len(body) :]
