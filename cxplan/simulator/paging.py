"""Lists in pages: a token that carries the position, and the path of the next page."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from cxplan.simulator.exchange import Call, Refusal

DEFAULT_AGENTS_PAGE = 100
MAX_AGENTS_PAGE = 500

_POSITION = re.compile(r"(.*):([0-9]{1,9})", re.DOTALL)


def page_of(call: Call, items: Sequence[Any], size: int) -> tuple[Sequence[Any], str | None]:
    """Return the items of the page that ``call`` asks for, and the path of the next one.

    Raises:
        Refusal: 400 for a page token that this list did not give out.
    """
    start = _position(call)
    end = start + size
    if end >= len(items):
        return items[start:], None
    kept = call.parameter("pageSize")
    query = {"pageSize": kept} if kept is not None else {}
    return items[start:end], f"{call.path}?{urlencode(query | {'pageToken': _token(call, end)})}"


def asked_size(call: Call) -> int:
    """Return the page size of an agents' listing: 1 to 500, or the default.

    Raises:
        Refusal: 400.
    """
    text = call.parameter("pageSize")
    if text is None:
        return DEFAULT_AGENTS_PAGE
    if re.fullmatch("[0-9]{1,3}", text) and 1 <= int(text) <= MAX_AGENTS_PAGE:
        return int(text)
    raise Refusal(400, "invalid_request", f"pageSize must be 1 to {MAX_AGENTS_PAGE}.")


def _token(call: Call, position: int) -> str:
    return base64.urlsafe_b64encode(f"{call.path}:{position}".encode()).decode().rstrip("=")


def _position(call: Call) -> int:
    token = call.parameter("pageToken")
    if token is None:
        return 0
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True).decode()
    except ValueError:
        text = ""
    found = _POSITION.fullmatch(text)
    if found is None or found[1] != call.path:
        raise Refusal(400, "invalid_page_token", "This list gave out no such page token.")
    return int(found[2])
