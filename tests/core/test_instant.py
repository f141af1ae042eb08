"""Instants and durations as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxplan.core.instant import parse_duration, parse_instant, utc_text

INSTANTS = [
    ("2026-11-22T09:14:02Z", "2026-11-22T09:14:02Z"),
    ("2026-11-26T08:00:00-05:00", "2026-11-26T13:00:00Z"),
    ("2026-06-11T01:30:00+05:30", "2026-06-10T20:00:00Z"),
    ("2026-03-29T01:30:00+00:00", "2026-03-29T01:30:00Z"),
    ("2026-11-22T09:14:02-00:00", "2026-11-22T09:14:02Z"),
    ("2028-02-29T23:59:59+23:59", "2028-02-29T00:00:59Z"),
    ("2026-11-22T09:14:02.123456+01:00", "2026-11-22T08:14:02Z"),
]


@pytest.mark.parametrize(("text", "utc"), INSTANTS)
def test_an_instant_with_any_offset_is_turned_to_utc(text: str, utc: str) -> None:
    found = parse_instant(text)
    assert utc_text(found) == utc
    assert found.utcoffset() == timedelta(0)


NO_INSTANTS = [
    ("2026-11-22T09:14:02", "no offset"),
    ("2026-11-22T09:14:02.5", "no offset"),
    ("2026-02-29T00:00:00Z", "no such day"),
    ("2026-13-01T00:00:00Z", "no such day"),
    ("0000-01-01T00:00:00Z", "from the year 2000 on"),
    ("1999-12-31T23:59:59+01:00", "from the year 2000 on"),
    ("9999-12-31T23:59:59-01:00", "from the year 2000 on"),
    ("2026-11-22", "not a date"),
    ("2026-11-22 09:14:02Z", "not a date"),
    ("2026-11-22T09:14Z", "not a date"),
    ("2026-11-22T24:00:00Z", "not a date"),
    ("2026-11-22T09:60:00Z", "not a date"),
    ("2026-11-22T09:14:60Z", "not a date"),
    ("2026-11-22T09:14:02+24:00", "not a date"),
    ("2026-11-22T09:14:02+0100", "not a date"),
    ("2026-11-22T09:14:02+01", "not a date"),
    ("2026-11-22T09:14:02,5Z", "not a date"),
    ("2026-11-22T09:14:02.1234567Z", "not a date"),
    ("20261122T091402Z", "not a date"),
    ("2026-W47-7T09:14:02Z", "not a date"),
    (" 2026-11-22T09:14:02Z", "not a date"),
    ("2026-11-22T09:14:02Z\n", "not a date"),
    ("\uff12026-11-22T09:14:02Z", "not a date"),
    ("now", "not a date"),
    ("", "not a date"),
]


@pytest.mark.parametrize(("text", "why"), NO_INSTANTS)
def test_what_is_no_instant_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        parse_instant(text)
    assert not text.strip() or text.strip() not in str(caught.value)


@given(
    st.datetimes(datetime(2000, 1, 2), datetime(2999, 12, 30)),  # noqa: DTZ001 - gets its offset next
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
)
def test_every_instant_is_read_as_the_one_that_was_written(local: datetime, minutes: int) -> None:
    written = local.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_instant(written.isoformat()) == written
    assert parse_instant(utc_text(written)) == written.astimezone(UTC).replace(microsecond=0)


DURATIONS = [
    ("24h", timedelta(hours=24)),
    ("90m", timedelta(minutes=90)),
    ("2d", timedelta(days=2)),
    ("30s", timedelta(seconds=30)),
    ("1s", timedelta(seconds=1)),
    ("007h", timedelta(hours=7)),
    ("366d", timedelta(days=366)),
    ("8784h", timedelta(days=366)),
    ("31622400s", timedelta(days=366)),
]


@pytest.mark.parametrize(("text", "duration"), DURATIONS)
def test_durations(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    [
        *["0s", "0d", "367d", "8785h", "31622401s", "99999999d", "123456789s"],
        *["", "h", "24", "24 h", " 24h", "24h\n", "-1h", "+1h", "1.5h", "1e3s", "1h30m", "1H"],
        *["1w", "1y", "PT1H", "٢h", "1_000s", "never"],
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="it is not") as caught:
        parse_duration(text)
    assert len(text) < 3 or text not in str(caught.value)
