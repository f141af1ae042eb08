"""What single values may be: the bricks that ``schema`` is built of.

A reader takes the sheet, the keys of a value and the value; it returns what the value means, or
None after reporting why it means nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cxplan.desired.document import MAX_KEY
from cxplan.desired.faults import Keys, Sheet, Spot, named
from cxplan.desired.links import Once
from cxplan.desired.text import code_point, like_secret, secret_fault

Reader = Callable[[Sheet, Keys, Any], Any]

MAX_AGENTS = 100_000
MAX_CONCURRENT = 100
MAX_NAME = MAX_KEY

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}", re.ASCII)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(?:/[A-Za-z0-9_+-]{1,31}){0,2}", re.ASCII)
_QUOTE_IT = "Put it in quotes."


def name(sheet: Sheet, keys: Keys, value: Any) -> str | None:
    """Read a name: 1 to 200 characters, NFC, nothing invisible, no space at its ends."""
    if value.__class__ is not str:
        sheet.mistyped(keys, value, "a name", _QUOTE_IT)
        return None
    return value if plain_name(value) or check_name(sheet, Spot(keys), value) else None


@lru_cache(maxsize=4096)
def plain_name(value: str) -> bool:
    """Tell whether ``value`` is a name that needs no closer look."""
    return (
        value.isascii() and value.isprintable() and 0 < len(value.strip()) == len(value) <= MAX_NAME
    )


def check_name(sheet: Sheet, spot: Spot, value: str) -> bool:
    """Tell whether ``value`` may be a name, and report why not."""
    trouble = _name_trouble(value)
    if trouble is not None:
        sheet.fault(trouble[0], spot, *trouble[1:])
    return trouble is None


def _name_trouble(value: str) -> tuple[str, str, str] | None:
    if not 0 < len(value) <= MAX_NAME:
        return (
            "schema.range",
            f"A name has 1 to {MAX_NAME} characters, this one {len(value)}.",
            "Write a shorter one." if value else "Write one.",
        )
    hidden = next((char for char in value if char in "\n\t"), None)
    if hidden is not None:
        return (
            "yaml.control_char",
            f"This name holds the invisible character {code_point(hidden)}.",
            "Take it out.",
        )
    if value.strip() != value:
        return "name.format", "This name begins or ends with a space.", "Take the space out."
    composed = unicodedata.normalize("NFC", value)
    if composed != value:
        points = " ".join(code_point(char) for char in composed if char not in value)
        return (
            "name.nfc",
            "This name is not in Unicode's composed form (NFC), so two that look alike may differ.",
            f"Type it again; composed, it has {points or 'its marks in another order'}.",
        )
    return None


def identifier(sheet: Sheet, keys: Keys, value: Any) -> str | None:
    """Read one of the tenant's ids: it goes into URLs, so it is matched against an allow-list."""
    if value.__class__ is not str:
        sheet.mistyped(keys, value, "an id in quotes", _QUOTE_IT)
        return None
    if good_id(value):
        return str(value)
    sheet.fault(
        "id.format",
        keys,
        "This is not an id.",
        "An id has 1 to 128 letters, digits, dots, underscores or hyphens of ASCII, "
        "and begins with a letter or a digit.",
    )
    return None


def good_id(value: str) -> bool:
    """Tell whether ``value`` can be an id of the tenant's."""
    return _ID.fullmatch(value) is not None


def word(sheet: Sheet, keys: Keys, value: Any) -> str | None:
    """Read a short word, such as a channel."""
    return _matching(sheet, keys, value, (_WORD, "a word", "Write letters, digits and hyphens."))


def time_zone(sheet: Sheet, keys: Keys, value: Any) -> str | None:
    """Read the name of a time zone; it is for display, and no zone file is opened for it."""
    return _matching(
        sheet, keys, value, (_ZONE, "a time zone", "Write a name such as America/New_York.")
    )


def _matching(
    sheet: Sheet, keys: Keys, value: Any, rule: tuple[re.Pattern[str], str, str]
) -> str | None:
    pattern, what, hint = rule
    if value.__class__ is not str:
        sheet.mistyped(keys, value, what, _QUOTE_IT)
    elif pattern.fullmatch(value):
        return str(value)
    else:
        sheet.fault("schema.value", keys, f"This is not {what}.", hint)
    return None


def one_of(*words: str) -> Reader:
    """Return a reader of one of ``words``."""
    expected = f"Write {' or '.join(words)}."

    def read(sheet: Sheet, keys: Keys, value: Any) -> str | None:
        if value.__class__ is not str:
            sheet.mistyped(keys, value, f"one of {', '.join(words)}", expected)
        elif value in words:
            return str(value)
        else:
            sheet.fault("schema.value", keys, "This word means nothing here.", expected)
        return None

    return read


def truth(sheet: Sheet, keys: Keys, value: Any) -> bool | None:
    """Read ``true`` or ``false``."""
    if value.__class__ is bool:
        return bool(value)
    sheet.mistyped(keys, value, "true or false", "Write true or false, without quotes.")
    return None


def whole(low: int, high: int, hint: str = "") -> Reader:
    """Return a reader of a whole number from ``low`` to ``high``."""
    expected = f"Write a whole number from {low} to {high}, without quotes."

    def read(sheet: Sheet, keys: Keys, value: Any) -> int | None:
        if value.__class__ is not int:
            sheet.mistyped(keys, value, "a whole number", expected)
        elif low <= value <= high:
            return int(value)
        else:
            sheet.fault(
                "schema.range", keys, f"{value} is not within {low} to {high}.", hint or expected
            )
        return None

    return read


def each(read: Reader, what: str, reserved: tuple[str, ...] = ()) -> Reader:
    """Return a reader of a map from names to what ``read`` reads; entries with faults are left out.

    ``what`` is a plural for messages, such as ``members``; ``reserved`` are words of the language
    that cannot be names here.
    """

    def read_all(sheet: Sheet, keys: Keys, value: Any) -> dict[str, Any] | None:
        if value.__class__ is not dict:
            sheet.mistyped(keys, value, f"a map of {what}", "Write one key for each.")
            return None
        found = {}
        for key, raw in value.items():
            inner = (*keys, key)
            if not plain_name(key) or key in reserved:
                _check_key(sheet, inner, key, reserved)
            result = read(sheet, inner, raw)
            if result is not None:
                found[key] = result
        return found

    return read_all


def _check_key(sheet: Sheet, keys: Keys, key: str, reserved: tuple[str, ...]) -> None:
    if key in reserved:
        sheet.fault(
            "schema.value",
            Spot(keys, on_key=True),
            f'"{key}" is a word of the language, so nothing can be named so.',
            "Take another name.",
        )
    else:
        check_name(sheet, Spot(keys, on_key=True), key)


def labelled(read: Reader) -> Reader:
    """Return a reader of labels: words to what ``read`` reads, and nothing like a credential."""

    def read_all(sheet: Sheet, keys: Keys, value: Any) -> dict[str, Any] | None:
        found: dict[str, Any] | None = each(read, "labels")(sheet, keys, value)
        for key in found or ():
            if like_secret(key):
                secret_fault(sheet, (*keys, key), key)
        return found

    return read_all


labels = labelled(name)
"""Reads labels: words to names."""


def many(read: Reader, what: str) -> Reader:
    """Return a reader of a list of what ``read`` reads; items with faults are left out.

    ``what`` is a plural for messages.
    """

    def read_all(sheet: Sheet, keys: Keys, value: Any) -> tuple[Any, ...] | None:
        if value.__class__ is not list:
            sheet.mistyped(keys, value, f"a list of {what}", "Write it as [one, another].")
            return None
        found = (read(sheet, (*keys, place), item) for place, item in enumerate(value))
        return tuple(item for item in found if item is not None)

    return read_all


def distinct(read: Reader, what: str, one: str) -> Reader:
    """Return a reader of a list of texts of which each stands once; ``one`` names such a text."""
    read_all = many(read, what)

    def read_once(sheet: Sheet, keys: Keys, value: Any) -> tuple[str, ...] | None:
        found: tuple[str, ...] | None = read_all(sheet, keys, value)
        once = Once(one, on_key=False)
        for place, item in enumerate(value if found else ()):
            if item.__class__ is str:
                once.claim(sheet, item, (*keys, place))
        return found

    return read_once


@dataclass(frozen=True, slots=True)
class Shape:
    """The keys that a map may have, each with its reader."""

    what: str
    fields: Mapping[str, Reader]
    required: tuple[str, ...] = ()
    check: Callable[[Sheet, Keys, dict[str, Any]], None] | None = None
    """Reports what is wrong between the keys; it is given what each key means."""

    def read(self, sheet: Sheet, keys: Keys, value: Any) -> dict[str, Any] | None:
        """Return what each key means, None for those with faults.

        Returns None where it is no map, or a required key is missing or faulty.
        """
        if value.__class__ is not dict:
            sheet.mistyped(keys, value, self.what, "Write it as {key: value, …}.")
            return None
        found = {}
        for key, raw in value.items():
            read = self.fields.get(key)
            if read is None:
                self._refuse(sheet, (*keys, key), key)
            else:
                found[key] = read(sheet, (*keys, key), raw)
        for key in self.required:
            if key not in value:
                self._missing(sheet, keys, key)
        if self.check is not None:
            self.check(sheet, keys, found)
        return None if any(found.get(key) is None for key in self.required) else found

    def _refuse(self, sheet: Sheet, keys: Keys, key: str) -> None:
        if like_secret(key):
            secret_fault(sheet, keys, key)
        else:
            sheet.fault(
                "schema.unknown_key",
                Spot(keys, on_key=True),
                f"The key{named(key)} is not known in {self.what}.",
                sheet.faults.suggestion(key, self.fields, f"Known are {', '.join(self.fields)}."),
            )

    def _missing(self, sheet: Sheet, keys: Keys, key: str) -> None:
        sheet.fault(
            "schema.missing_key",
            Spot(keys, on_key=True),
            f'The key "{key}" is missing in {self.what}.',
            f"Write {key}: and its value.",
        )
