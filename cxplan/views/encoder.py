"""The one encoder for text that somebody else wrote, before it reaches a screen or a log."""

from __future__ import annotations

import unicodedata

MAX_LENGTH = 200
_SHOWN_AS_CODE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def show(text: str, limit: int = MAX_LENGTH) -> str:
    r"""Return ``text`` with nothing in it that a terminal, a log or a reader could be fooled by.

    Controls, format and bidi marks, private and unassigned code points, line separators and
    spaces other than U+0020 become ``\u{XXXX}``; a backslash is doubled; anything over ``limit``
    characters is cut with an ellipsis.
    """
    if text.isascii() and text.isprintable() and "\\" not in text:
        encoded = text
    else:
        encoded = "".join(_encode(character) for character in text)
    return encoded if len(encoded) <= limit else encoded[: limit - 1] + "…"


def _encode(character: str) -> str:
    if character == "\\":
        return "\\\\"
    category = unicodedata.category(character)
    if category in _SHOWN_AS_CODE or (category == "Zs" and character != " "):
        return f"\\u{{{ord(character):04X}}}"
    return character
