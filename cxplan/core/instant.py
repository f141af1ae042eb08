"""Instants as text: RFC 3339 in UTC, seconds or milliseconds, always with ``Z``."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_WRITTEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)


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
