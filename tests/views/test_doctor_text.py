"""What doctor shows: a word for each state, what to do beneath it, nothing that fools a reader."""

from __future__ import annotations

import re

from cxplan.core.errors import AuthError, Exit, InvalidError, LockedError
from cxplan.core.health import Health, bad, good, not_checked, warning
from cxplan.views.doctor_text import doctor_document, doctor_text
from cxplan.views.paint import Paint
from cxplan.views.wrapping import wrap

HEALTH = Health(
    (
        good("settings", "Set by variables: CXPLAN_API_URL."),
        bad("credentials", AuthError("They were refused.", hint="Check CXONE_CLIENT_SECRET.")),
        not_checked("scopes", "There is no token."),
        warning("key", "None is set.", "Make one."),
        bad("ledger.lock", LockedError("Another run holds it.", hint="Wait.")),
    )
)
TEXT = """\
good         settings     Set by variables: CXPLAN_API_URL.
bad          credentials  They were refused.
    → Check CXONE_CLIENT_SECRET.
not checked  scopes       There is no token.
warning      key          None is set.
    → Make one.
bad          ledger.lock  Another run holds it.
    → Wait.
1 good, 1 warning, 2 bad, 1 not checked.
"""


def test_the_screen() -> None:
    assert doctor_text(HEALTH, Paint()) == TEXT


def test_colour_says_nothing_that_the_words_do_not() -> None:
    painted = doctor_text(HEALTH, Paint(enabled=True))
    assert painted != TEXT
    assert re.sub(r"\x1b\[\d+m", "", painted) == TEXT


def test_counts_of_none_and_of_many() -> None:
    assert doctor_text(Health(()), Paint()) == "0 good, 0 warnings, 0 bad, 0 not checked.\n"


def test_it_fits_80_columns() -> None:
    long = Health((bad("read.schedule", InvalidError("word " * 60, hint="word " * 60)),))
    lines = wrap(doctor_text(long, Paint()), 80).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.count("word") for line in lines) == 120


def test_what_somebody_else_wrote_is_shown_as_what_it_is() -> None:
    odd = Health((good("credentials", "client \x1b[2J\n::error::\u202e"),))
    text = doctor_text(odd, Paint())
    assert text.count("\n") == 2
    assert "client \\u{001B}[2J\\u{000A}::error::\\u{202E}" in text


def test_the_document() -> None:
    document = doctor_document(HEALTH)
    assert document["checks"][1] == {
        "id": "credentials",
        "state": "bad",
        "found": "They were refused.",
        "hint": "Check CXONE_CLIENT_SECRET.",
    }
    assert [check["state"] for check in document["checks"]] == [
        "good",
        "bad",
        "notChecked",
        "warning",
        "bad",
    ]
    assert [(e["code"], e["address"]) for e in document["errors"]] == [
        ("auth.refused", "credentials"),
        ("ledger.locked", "ledger.lock"),
    ]


def test_the_exit_is_the_worst_of_what_is_bad() -> None:
    assert HEALTH.exit is Exit.AUTH
    assert Health(HEALTH.checks[2:]).exit is Exit.LOCKED
    assert Health(HEALTH.checks[2:4]).exit is Exit.OK
