"""Instants as text: RFC 3339, written with ``Z``, read with any offset; and durations."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

LONGEST_DURATION = timedelta(days=366)

_WRITTEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)
_GIVEN = re.compile(
    r"2\d{3}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?"
    r"(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)?",
    re.ASCII,
)
_DURATION = re.compile(r"(\d{1,8})([smhd])", re.ASCII)
_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


def utc_text(instant: datetime) -> str:
    """Return ``2026-11-22T09:14:02Z``, anything below the second cut off.

    ``instant`` must be aware; a naive one is a bug and raises ``ValueError``.
    """
    return _utc(instant).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc_millis(instant: datetime) -> str:
    """Return ``2026-11-22T09:14:02.123Z``."""
    exact = _utc(instant)
    return f"{exact:%Y-%m-%dT%H:%M:%S}.{exact.microsecond // 1000:03d}Z"


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("an instant needs an offset")
    return instant.astimezone(UTC)


def parse_utc(text: str) -> datetime:
    """Return the instant that ``utc_text`` or ``utc_millis`` wrote.

    Raises:
        ValueError: any other form, or a day that does not exist.
    """
    if not _WRITTEN.fullmatch(text):
        raise ValueError("not an instant in UTC")
    return datetime.fromisoformat(text)


def parse_instant(text: str) -> datetime:
    """Return the instant in UTC that somebody wrote in RFC 3339, with whatever offset.

    Raises:
        ValueError: any other form, no offset, or a day that does not exist. The message is a
            sentence without its full stop that says which, and holds nothing of ``text``.
    """
    form = _GIVEN.fullmatch(text)
    if form is None:
        raise ValueError("it is not a date from the year 2000 on, T, a time and an offset")
    if form.group(1) is None:
        raise ValueError("it has no offset from UTC")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise ValueError("there is no such day") from None


def parse_duration(text: str) -> timedelta:
    """Return a duration written as a whole number and one of ``s``, ``m``, ``h``, ``d``.

    Raises:
        ValueError: any other form, nothing at all, or more than 366 days; the message as that of
            ``parse_instant``.
    """
    form = _DURATION.fullmatch(text)
    if form is None:
        raise ValueError("it is not a whole number and one of s, m, h, d")
    duration = int(form.group(1)) * _UNITS[form.group(2)]
    if not timedelta(0) < duration <= LONGEST_DURATION:
        raise ValueError("it is not within 1s and 366d")
    return duration
