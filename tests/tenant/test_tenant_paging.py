"""Links to next pages against an https origin, and when a listing is whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxplan.tenant.connection import Site, parse_site
from cxplan.tenant.messages import Refused
from cxplan.tenant.paging import MOST_ITEMS, Page, next_target, read_all

SITE = parse_site("https://api.example", "--api-url")
LIST = "/api/v2/agents/1001/skills"


def follow(link: str, current: str = f"{LIST}?p=1", site: Site = SITE, prefix: str = LIST) -> str:
    return next_target(link, current, site, prefix)


@pytest.mark.parametrize(
    ("link", "target"),
    [
        (f"{LIST}?p=2", f"{LIST}?p=2"),
        (f"https://api.example{LIST}?p=2", f"{LIST}?p=2"),
        (f"https://api.example:443{LIST}?p=2", f"{LIST}?p=2"),
        (f"HTTPS://API.example{LIST}?p=2", f"{LIST}?p=2"),
        (f"//api.example{LIST}/2", f"{LIST}/2"),
        ("?p=2", f"{LIST}?p=2"),
        (f"{LIST}?p=2#here", f"{LIST}?p=2"),
        (f"{LIST}?next=https://evil.example/&q=a@b", f"{LIST}?next=https://evil.example/&q=a@b"),
        (f"{LIST}?c=a%2Fb%3D", f"{LIST}?c=a%2Fb%3D"),
        (f"{LIST}/a%20b", f"{LIST}/a%20b"),
    ],
)
def test_a_link_inside_the_list_is_followed_by_path_and_query_only(link: str, target: str) -> None:
    assert follow(link) == target


@pytest.mark.parametrize(
    ("link", "code"),
    [
        ("https://evil.example/x", "http.cross_origin"),
        ("//evil.example/x", "http.cross_origin"),
        (f"http://api.example{LIST}", "http.scheme"),
        (f"https://api.example:8443{LIST}", "http.cross_origin"),
        (f"https://api.example.{LIST}", "http.cross_origin"),
        (f"https://api.example.evil.example{LIST}", "http.cross_origin"),
        (f"https://u:p@api.example{LIST}", "http.userinfo"),
        (f"https://@api.example{LIST}", "http.userinfo"),
        ("https://api.example@evil.example/", "http.userinfo"),
        ("@evil.example/x", "http.bad_url"),
        (".evil.example/x", "http.bad_url"),
        ("https://api.example\\@evil.example/x", "http.bad_url"),
        ("https://evil.example\\.api.example/", "http.bad_url"),
        ("/\\evil.example/x", "http.bad_url"),
        ("https://api.example\t.evil.example/", "http.bad_url"),
        ("\nhttps://api.example/", "http.bad_url"),
        (f" {LIST}", "http.bad_url"),
        (f"{LIST}?q=\u0663", "http.bad_url"),
        ("https://api.example%2eevil.example/", "http.cross_origin"),
        ("https:api.example/x", "http.cross_origin"),
        ("https:///x", "http.cross_origin"),
        ("https://[::1", "http.bad_url"),
        ("https://api.example:99999/x", "http.bad_url"),
        ("https://api.example:x/x", "http.bad_url"),
        ("file:///etc/passwd", "http.scheme"),
        ("javascript:alert(1)", "http.scheme"),
        ("data:,x", "http.scheme"),
        ("../../../token", "http.path"),
        ("/oauth/token", "http.path"),
        (f"{LIST}x", "http.path"),
        (f"{LIST}/../../1002/skills", "http.path"),
        (f"{LIST}/%2e%2e/%2E%2E/1002", "http.path"),
        (f"{LIST}/..%2f..%2f1002", "http.path"),
        (f"{LIST}/./x", "http.path"),
        (f"{LIST}/%5c..%5cx", "http.bad_url"),
        (f"{LIST}/%0d%0aX-Evil:1", "http.bad_url"),
        ("/API/V2/agents/1001/skills", "http.path"),
        (f"{LIST}?{'x' * 2048}", "http.bad_url"),
    ],
)
def test_a_link_that_leads_away_is_refused(link: str, code: str) -> None:
    with pytest.raises(Refused) as caught:
        follow(link)
    assert caught.value.problem.code == code
    assert "evil" not in caught.value.problem.summary


def test_a_base_path_is_part_of_the_prefix() -> None:
    site = parse_site("https://gate.example/cx/", "--api-url")
    inside = f"/cx{LIST}?p=2"
    assert follow(inside, f"/cx{LIST}", site, f"/cx{LIST}") == inside
    with pytest.raises(Refused):
        follow(f"{LIST}?p=2", f"/cx{LIST}", site, f"/cx{LIST}")


@given(st.text(max_size=80))
def test_no_text_leads_out_of_the_list(link: str) -> None:
    if not link:
        return
    try:
        target = follow(link)
    except Refused:
        return
    path = target.partition("?")[0]
    assert path == LIST or path.startswith(f"{LIST}/")
    assert target.isascii()
    assert target.isprintable()


# --- whole listings ---------------------------------------------------------------------------


def read(pages: dict[str, Page[str]]) -> tuple[str, ...]:
    return read_all(lambda target: pages[target], SITE, LIST, lambda item: item)


def test_items_come_in_the_order_of_the_pages() -> None:
    pages = {LIST: Page(("b", "a"), "?p=2"), f"{LIST}?p=2": Page(("c",), None, total=3)}
    assert read(pages) == ("b", "a", "c")


@pytest.mark.parametrize(
    ("pages", "code"),
    [
        ({LIST: Page(("a",), "?p=2"), f"{LIST}?p=2": Page(("b",), "?p=2")}, "http.page_loop"),
        ({LIST: Page(("a",), "?p=2"), f"{LIST}?p=2": Page(("b",), LIST)}, "http.page_loop"),
        ({LIST: Page((), "?p=2")}, "http.no_progress"),
        ({LIST: Page(("a",), None, total=2)}, "http.short_list"),
        ({LIST: Page(("a", "b"), None, total=1)}, "http.short_list"),
        ({LIST: Page(("a", "b", "a"))}, "http.duplicate"),
        ({LIST: Page(("a",) * (MOST_ITEMS + 1))}, "http.page_limit"),
    ],
)
def test_a_listing_that_is_not_whole_is_an_error(pages: dict[str, Page[str]], code: str) -> None:
    with pytest.raises(Refused) as caught:
        read(pages)
    assert caught.value.problem.code == code


def test_ids_that_came_twice_are_named_where_they_print() -> None:
    with pytest.raises(Refused, match=r"2 ids came twice \(a-1\)"):
        read({LIST: Page(("a-1", "a-1", "\x1b[2J", "\x1b[2J"))})
