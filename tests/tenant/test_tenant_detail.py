"""What a tenant says, made fit for people: printable, short, without secrets."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxplan.core.secret import Secret
from cxplan.tenant.detail import LONGEST, detail, redacted

ODD = "p+ss/w\u00f6rd with spaces=="


@pytest.mark.parametrize(
    "form",
    [
        ODD,
        quote(ODD, safe=""),
        base64.b64encode(ODD.encode()).decode(),
        base64.urlsafe_b64encode(ODD.encode()).decode().rstrip("="),
    ],
)
def test_a_secret_is_taken_out_in_every_form_it_travels_in(form: str) -> None:
    said = redacted(f"before {form} after", [Secret(ODD)])
    assert said.startswith("before ***")
    assert said.endswith("after")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Bearer abc.def rest", "Bearer *** rest"),
        ("access_token=abc&x=1", "access_token=***&x=1"),
        ('{"client_secret":"abc","x":1}', '{"client_secret":"***","x":1}'),
        ("password: abc rest", "password: *** rest"),
        ("key eyJhbGciOi.eyJzdWIi.c2ln rest", "key *** rest"),
        (
            "id 8d3f8a52-7a3c-4e4b-9c55-0e4f6d9f4f10 rest",
            "id 8d3f8a52-7a3c-4e4b-9c55-0e4f6d9f4f10 rest",
        ),
        (f"run {'Ab3' * 11} rest", "run *** rest"),
        ("the token has expired", "the token has expired"),
    ],
)
def test_what_looks_like_a_credential_is_taken_out_and_the_rest_stays(
    text: str, shown: str
) -> None:
    assert redacted(text) == shown


def test_a_short_secret_does_not_shred_the_text() -> None:
    assert redacted("a cat", [Secret("a")]) == "a cat"


@given(st.text(max_size=200), st.text(max_size=200), st.sampled_from(["json", "text"]))
def test_nothing_comes_through(before: str, after: str, kind: str) -> None:
    text = f"{before}{ODD}{after}"
    body = json.dumps({"detail": text}) if kind == "json" else text
    said = detail(body.encode("utf-8", "replace"), [Secret(ODD)])
    assert ODD not in said
    assert said.isprintable()
    assert len(said.encode()) <= LONGEST
