"""What a plan is asked: options to a request, read before anything is asked of a tenant."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cxplan.core.errors import DesiredInvalid, InvalidError, Problem

if TYPE_CHECKING:
    from cxplan.cli.session import Session
    from cxplan.core.breaker import Tolerance
    from cxplan.core.model import Declarations
    from cxplan.core.strictness import Allowance
    from cxplan.usecases.plan import PlanRequest

MOST_BYTES = 8 * 1024 * 1024
"""Of a file of choices."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of ``plan`` as they were written."""

    at: str | None = None
    base: str | None = None
    only_this_change: bool = False
    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    valid_for: str | None = None


def plan_request(session: Session, asked: Asked, declarations: Declarations) -> PlanRequest:
    """Return the request that the options make.

    Raises:
        InvalidError: a time, an expression or an allowance that is none, ``--only-this-change``
            without a base, or a base of another tenant.
        DesiredInvalid: the base is not valid.
    """
    from cxplan.core.scope import Scope, expressions
    from cxplan.wiring import verbs

    if asked.only_this_change and asked.base is None:
        raise InvalidError(
            "--only-this-change needs --base DIR, the desired state before the change.",
            hint="Give the folder of the other revision, for example from git worktree add.",
        )
    base = None if asked.base is None else _base(session, asked.base, declarations)
    scope = Scope(
        expressions("--only", _choices(session, "--only", asked.only), declarations),
        expressions("--exclude", _choices(session, "--exclude", asked.exclude), declarations),
        asked.only_this_change,
    )
    request = verbs.plan_request(session.settings, session.environ)
    lifetime = request.valid_for
    if asked.valid_for is not None:
        lifetime = duration("--valid-for", asked.valid_for)
    return replace(
        request,
        valid_for=lifetime,
        at=None if asked.at is None else instant("--at", asked.at),
        base=base,
        scope=scope,
        allowed=allowances(asked.allow),
    )


def _base(session: Session, folder: str, declarations: Declarations) -> Declarations:
    """Return the files before a change; what is wrong with them is said to be there."""
    from cxplan.settings import empty
    from cxplan.wiring import edges

    if not folder:
        raise empty("--base")
    settings = replace(session.settings, desired=session.settings.path(folder))
    try:
        base = edges.read_declarations(settings, edges.desired_source(settings))
    except DesiredInvalid as error:
        raise DesiredInvalid(_within(folder, problem) for problem in error.problems) from None
    if (base.tenant, base.api) != (declarations.tenant, declarations.api):
        raise InvalidError(
            f"--base {folder} is of tenant {base.tenant} ({base.api}), the files are of "
            f"{declarations.tenant} ({declarations.api}).",
            code="policy.tenant",
            hint="Give an earlier revision of the same files; one of another tenant is none.",
        )
    return base


def _within(folder: str, problem: Problem) -> Problem:
    origin = problem.origin
    if origin is None:
        hint = (problem.hint or "").replace("--desired", "--base")
        return replace(problem, address=f"--base {folder}", hint=hint)
    return replace(problem, origin=replace(origin, file=f"{folder.rstrip('/')}/{origin.file}"))


def allowances(texts: Iterable[str]) -> tuple[Allowance, ...]:
    """Return the guards that are passed, each with its reason.

    Raises:
        InvalidError: no such guard, none or no reason, or one that is passed twice.
    """
    found: dict[str, Allowance] = {}
    for text in texts:
        allowance = _allowance(text)
        if allowance.guard in found:
            raise InvalidError(f"--allow {allowance.guard} is given twice.", hint="Give it once.")
        found[allowance.guard] = allowance
    return tuple(found.values())


def _allowance(text: str) -> Allowance:
    from difflib import get_close_matches

    from cxplan.core.strictness import GUARDS, Allowance

    guard, equals, reason = text.partition("=")
    if guard not in GUARDS:
        near = get_close_matches(guard, GUARDS, 1)
        meant = f"Did you mean {near[0]}?" if near else f"Guards: {', '.join(GUARDS)}."
        raise InvalidError(f"--allow: there is no guard {guard!r}.", hint=meant)
    if not equals or not reason.strip():
        raise InvalidError(
            f"--allow {guard} needs a reason, which goes into the plan and the record.",
            hint=f'Write --allow {guard}="why this once".',
        )
    return Allowance(guard, reason.strip())


def tolerance(text: str) -> Tolerance:
    """Return how many agents may fail.

    Raises:
        InvalidError: neither a number from 1 on nor a percentage from 1 to 100.
    """
    from cxplan.core.breaker import Tolerance

    number = text.removesuffix("%")
    percent = number != text
    if number.isascii() and number.isdigit() and 0 < int(number) <= (100 if percent else 10**6):
        return Tolerance(int(number), percent)
    raise InvalidError(
        f"--max-failures takes a number such as 3 or a percentage such as 10%, not {text!r}.",
        hint="1 stops at the first agent that fails.",
    )


def instant(flag: str, text: str) -> datetime:
    """Return the instant that an option gives, in UTC.

    Raises:
        InvalidError: it is none, or has no offset.
    """
    from cxplan.core.instant import parse_instant

    try:
        return parse_instant(text)
    except ValueError as error:
        raise InvalidError(
            f"{flag} takes a time with an offset, not {text!r}: {error}.",
            hint=f"Write for example {flag} 2026-11-26T08:00:00-05:00.",
        ) from None


def duration(flag: str, text: str) -> timedelta:
    """Return the duration that an option gives.

    Raises:
        InvalidError: it is none.
    """
    from cxplan.core.instant import parse_duration

    try:
        return parse_duration(text)
    except ValueError:
        raise InvalidError(
            f"{flag} takes a duration such as 24h, 90m or 2d, not {text!r}.",
            hint="At most 366 days.",
        ) from None


def _choices(session: Session, flag: str, given: Iterable[str]) -> Iterator[list[str]]:
    from cxplan.core.scope import listed, split

    for text in given:
        if not text.startswith("@"):
            yield split(text)
            continue
        found = listed(_lines(flag, session.settings.path(text[1:])))
        if not found:
            raise InvalidError(
                f"{flag} {text}: the file chooses nothing.",
                code="scope.form",
                hint=f"Write one choice a line, or leave out {flag}.",
            )
        yield found


def _lines(flag: str, path: Path) -> list[str]:
    from cxplan.files.regular import open_regular

    hint = "Name a file of choices, one a line."
    with os.fdopen(open_regular(path, hint), "rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise InvalidError(f"{flag}: {path} is over {MOST_BYTES >> 20} MiB.", hint="Shorten it.")
    try:
        return data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InvalidError(f"{flag}: {path} is not UTF-8.", hint=hint) from None
