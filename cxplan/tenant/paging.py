"""Listings in pages: where a next page may be, and when a listing is whole.

A link to the next page comes from the tenant and is believed only inside the endpoint that is
being read. A listing is returned whole or not at all: a partial one would look like removals.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from cxplan.tenant.connection import Site
from cxplan.tenant.messages import Refused, Trouble

Item = TypeVar("Item")

MOST_PAGES = 1_000
MOST_ITEMS = 1_000_000
_LONGEST = 2048
_URL = re.compile(r"[!#-;=?-\[\]_a-~]+")
"""Visible ASCII without what never stands in a URL: quotes, angles, backslash, caret, backtick."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_SHOWABLE = re.compile(r"[A-Za-z0-9._:-]{1,64}")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page as decoded: its items, the link that follows, the total where one is stated."""

    items: tuple[Item, ...]
    following: str | None = None
    total: int | None = None


def next_target(link: str, current: str, site: Site, prefix: str) -> str:
    """Return path and query of the page that ``link`` names, seen from the page ``current``.

    ``prefix`` is the path of the endpoint; the page must be it or lie below it.

    Raises:
        Refused: ``http.bad_url``, ``http.scheme``, ``http.userinfo``, ``http.cross_origin`` or
            ``http.path``.
    """
    parts = _resolved(link, current, site)
    if parts.scheme != site.scheme:
        raise _refused("http.scheme", "has another scheme")
    if parts.username is not None or parts.password is not None:
        raise _refused("http.userinfo", "holds a user name")
    port = parts.port if parts.port is not None else {"http": 80, "https": 443}[parts.scheme]
    if (parts.hostname, port) != (site.host, site.port):
        raise _refused("http.cross_origin", "leads to another host or port")
    _check_path(parts.path, prefix)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _refused(code: str, what: str) -> Refused:
    return Refused(Trouble(code, f"The link to the next page {what}; it was not followed."))


def _resolved(link: str, current: str, site: Site) -> SplitResult:
    if len(link) > _LONGEST or not _URL.fullmatch(link):
        raise _refused("http.bad_url", "is no URL")
    absolute = _SCHEME.match(link) or link[0] in "/?"
    if not absolute:
        if ".." in link.split("/"):
            raise _refused("http.path", "leaves the list that is read")
        raise _refused("http.bad_url", "is neither a path nor a URL")
    try:
        parts = urlsplit(link if _SCHEME.match(link) else _joined(link, current, site))
        _ = parts.port  # raises where it is none
    except ValueError:
        raise _refused("http.bad_url", "is no URL") from None
    return parts


def _joined(link: str, current: str, site: Site) -> str:
    """Put a path or query after the origin; joining would quietly resolve the dot segments."""
    if link.startswith("//"):
        return f"{site.scheme}:{link}"
    if link.startswith("/"):
        return site.origin + link
    return site.origin + current.partition("?")[0] + link


def _check_path(path: str, prefix: str) -> None:
    """Judge the path as a server may read it: with its escapes undone."""
    plain = unquote(path, errors="replace")
    if not plain.isprintable() or "\\" in plain:
        raise _refused("http.bad_url", "hides characters that no path holds")
    below = path == prefix or path.startswith(f"{prefix}/")
    if not below or {".", ".."} & set(plain.split("/")) or plain.count("/") != path.count("/"):
        raise _refused("http.path", "leaves the list that is read")


def read_all(
    load: Callable[[str], Page[Item]], site: Site, endpoint: str, key: Callable[[Item], str]
) -> tuple[Item, ...]:
    """Return every item of the listing at ``endpoint``, in order, each key once.

    Keys that come twice tell that the listing moved while it was read: it is read once more.

    Raises:
        Refused: a page seen twice, too many pages or items, an empty page that names a next one,
            a stated total that is not reached, or keys that come twice again.
    """
    doubled: list[str] = []
    for _ in range(2):
        items = _walk(load, site, endpoint)
        doubled = [name for name, count in Counter(map(key, items)).items() if count > 1]
        if not doubled:
            return items
    shown = ", ".join(name for name in doubled[:3] if _SHOWABLE.fullmatch(name)) or "unprintable"
    reason = f"The list keeps changing while it is read: {len(doubled)} ids came twice ({shown})."
    raise Refused(Trouble("http.duplicate", reason))


def _walk(load: Callable[[str], Page[Item]], site: Site, endpoint: str) -> tuple[Item, ...]:
    items: list[Item] = []
    seen: set[str] = set()
    target = endpoint
    while True:
        seen.add(target)
        page = load(target)
        items.extend(page.items)
        _check_size(len(items), len(seen), page)
        if not page.following:
            return _whole(tuple(items), page)
        target = next_target(page.following, target, site, endpoint)
        if target in seen:
            raise Refused(Trouble("http.page_loop", "The list leads back to a page already read."))


def _check_size(items: int, pages: int, page: Page[Item]) -> None:
    more = bool(page.following)
    if more and not page.items:
        raise Refused(Trouble("http.no_progress", "An empty page of the list names a next one."))
    if items > MOST_ITEMS or (more and pages >= MOST_PAGES):
        reason = f"The list has more than {MOST_PAGES} pages or {MOST_ITEMS} items."
        raise Refused(Trouble("http.page_limit", reason))


def _whole(items: tuple[Item, ...], last: Page[Item]) -> tuple[Item, ...]:
    if last.total is not None and last.total != len(items):
        reason = f"The list states {last.total} items and holds {len(items)}."
        raise Refused(Trouble("http.short_list", reason))
    return items
