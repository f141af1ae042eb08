"""Bytes to text, with everything refused that an editor would not show as it is.

Source of the rules: the categories Cc, Cf, Cs, Co, Cn, Zl and Zp can reorder, hide or split what a
reviewer sees, so they are refused in keys, values and comments alike. A line ends with LF or CRLF.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from cxplan.desired.faults import Keys, Mark, Sheet, Spot, named

_BOM = b"\xef\xbb\xbf"
_REFUSED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_ASCII_REFUSED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")
_USUAL = bytes([9, 10, *range(0x20, 0x7F)])
_SECRET_KEY = re.compile(
    r"(?:.*[._-])?(?:\w*secret|\w*token|\w*passw(?:or)?d|(?:api|private)[._-]?key)s?",
    re.ASCII | re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY|(?:secret|token|password)\s{0,9}[:=]\s{0,9}\S",
    re.ASCII | re.IGNORECASE,
)
_SECRET_WORDS = ("private key", "secret", "token", "password")


def decode(sheet: Sheet, data: bytes) -> str | None:
    """Return the text of a file, its lines ended by LF, or None after reporting a fault."""
    try:
        text = data.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        before = data.removeprefix(_BOM)[: error.start].decode("utf-8")
        sheet.fault(
            "yaml.encoding",
            _mark(before, len(before)),
            "The file is not UTF-8.",
            "Save it as UTF-8.",
        )
        return None
    if not _readable(sheet, text) or not _undirected(sheet, text):
        return None
    return text.replace("\r\n", "\n")


def _readable(sheet: Sheet, text: str) -> bool:
    """Report the first character that is refused."""
    first = _first_refused(text)
    if first is None:
        return True
    if text[first] == "\0":
        code, summary = "yaml.syntax", "A NUL byte stands here, so this is not a text file."
    else:
        code = "yaml.control_char"
        summary = f"The invisible character {code_point(text[first])} stands here."
    sheet.fault(code, _mark(text, first), summary, "Take it out.")
    return False


def _first_refused(text: str) -> int | None:
    """Look at each distinct character once; only a text that has a bad one is walked through."""
    if text.isascii() and not text.encode("ascii").translate(None, _USUAL):
        return None
    found = _ASCII_REFUSED.search(text)
    first = found.start() if found else None
    # A file holds few distinct characters; asking for each of its millions would take seconds.
    bad = frozenset() if text.isascii() else frozenset(filter(_beyond_ascii, set(text)))
    if not bad:
        return first
    return next(at for at, char in enumerate(text) if char in bad or at == first)


def _beyond_ascii(char: str) -> bool:
    return not char.isascii() and refused(char)


def _undirected(sheet: Sheet, text: str) -> bool:
    """Report a line that begins with ``%``: whatever it is to a parser, it is not our language."""
    at = 0 if text.startswith("%") else text.find("\n%") + 1
    if at == 0 and not text.startswith("%"):
        return True
    sheet.fault(
        "yaml.directive",
        _mark(text, at),
        "A YAML directive stands here.",
        "Take the line out: the language has no directives.",
    )
    return False


def _mark(text: str, at: int) -> Mark:
    return Mark(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))


def refused(char: str) -> bool:
    """Tell whether a character may stand nowhere; line feed and tab are left to the caller."""
    return char not in "\n\t" and unicodedata.category(char) in _REFUSED


def code_point(char: str) -> str:
    """Return ``U+202E``, the name of a character that cannot be shown."""
    return f"U+{ord(char):04X}"


def escaped(text: str) -> str:
    r"""Return ``text`` with every character that may not be shown as ``\u{202E}``."""
    return "".join(
        rf"\u{{{ord(char):04X}}}" if unicodedata.category(char) in _REFUSED else char
        for char in text
    )


@lru_cache(maxsize=4096)
def like_secret(key: str) -> bool:
    """Tell whether a key looks as if a credential stood under it."""
    return _SECRET_KEY.fullmatch(key) is not None


def examine(sheet: Sheet, text: str, data: dict[str, Any]) -> bool:
    """Report what only the parsed text can show: escaped control characters, and secrets.

    Most files have neither a backslash nor a word of credentials, and cost nothing. Returns False
    where an invisible character makes the file not worth reading on.
    """
    lowered = text.lower()
    if "\\" not in text and not any(word in lowered for word in _SECRET_WORDS):
        return True
    visible = True
    for keys, on_key, string in _strings(data):
        char = None if string.isprintable() else next(filter(refused, string), None)
        if char is not None:
            visible = False
            sheet.fault(
                "yaml.control_char",
                Spot(keys, on_key),
                f"An escape stands for the invisible character {code_point(char)}.",
                "Take it out.",
            )
        elif _SECRET_VALUE.search(string):
            secret_fault(sheet, keys, keys[-1] if not on_key else None)
    return visible


def secret_fault(sheet: Sheet, keys: Keys, key: object) -> None:
    """Report what looks like a secret; its key is named, the value never."""
    sheet.fault(
        "schema.secret",
        Spot(keys, on_key=True),
        f"What stands under{named(key) or ' this key'} looks like a secret.",
        "Take it out and replace the secret: credentials never stand in the desired state.",
    )


def _strings(data: dict[str, Any]) -> Iterator[tuple[Keys, bool, str]]:
    """Yield each string with its keys, and whether it is itself a key."""
    waiting: list[tuple[Keys, Any]] = [((), data)]
    while waiting:
        keys, value = waiting.pop()
        if isinstance(value, str):
            yield keys, False, value
        elif isinstance(value, dict):
            yield from (((*keys, key), True, key) for key in value)
            waiting.extend(((*keys, key), child) for key, child in value.items())
        elif isinstance(value, list):
            waiting.extend(((*keys, place), child) for place, child in enumerate(value))
