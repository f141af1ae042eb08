"""The tenant's own lists of skills and work modes, whole or not at all.

Both are optional in the contract: a tenant without one answers 404 or 405. A list that is there
and empty is refused, since it would make every id of the files look unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from cxplan.core.errors import UnavailableError
from cxplan.tenant.connection import Site
from cxplan.tenant.grant import lacks
from cxplan.tenant.messages import Forbidden, Refused, Reply
from cxplan.tenant.paging import Page, read_all
from cxplan.tenant.reads import content

Key = TypeVar("Key", bound=str)
Value = TypeVar("Value")

_NO_LIST = {404, 405}


def read_list(
    get: Callable[[str], Reply],
    site: Site,
    endpoint: str,
    scope: str,
    decode: Callable[[Any], Page[tuple[Key, Value]]],
) -> dict[Key, Value] | None:
    """Return one list as id to entry, or None where the tenant has no such list.

    Raises:
        AuthError: it is forbidden.
        UnavailableError: it cannot be read whole, or is empty.
    """
    absent = False

    def load(target: str) -> Page[tuple[Key, Value]]:
        nonlocal absent
        reply = get(target)
        if target == endpoint and reply.status in _NO_LIST:
            absent = True
            return Page(())
        return decode(content(reply, scope))

    what = endpoint.rpartition("/")[2].replace("-", " ")
    try:
        found = dict(read_all(load, site, endpoint, lambda entry: entry[0]))
    except Forbidden as forbidden:
        raise lacks(forbidden.scope) from None
    except Refused as refused:
        raise UnavailableError(
            f"The tenant's list of {what} cannot be read: {refused.trouble.reason}",
            code=refused.trouble.code,
            hint=refused.problem.hint,
        ) from None
    if not found and not absent:
        raise UnavailableError(
            f"The tenant's list of {what} is empty.",
            code="tenant.empty",
            hint="A tenant has some; check that the credentials are those of the right tenant.",
        )
    return None if absent else found
