"""Everything that a plan and an apply stand on, looked at before it is needed.

Each check is made by itself, so that one failure does not hide the next; one that cannot be made
since something before it failed says so. Nothing is written: no PATCH, no event, no file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from cxplan.core.errors import CxplanError, Exit, InvalidError
from cxplan.core.health import (
    Arrival,
    Check,
    Health,
    State,
    attempt,
    bad,
    good,
    not_checked,
    warning,
)
from cxplan.core.model import Declarations
from cxplan.core.wording import count
from cxplan.usecases.doctor.ledger import ledger_checks
from cxplan.usecases.doctor.tenant import tenant_checks
from cxplan.usecases.doctor.world import DoctorWorld

NO_HARM = timedelta(seconds=60)
"""Clocks that differ by no more are as good as the same."""
SOME_HARM = timedelta(seconds=300)
"""Clocks that differ by more are not to be worked with."""

_CLOCK_HINT = "Set this machine's clock, best by NTP, and run cxplan doctor again."


def examine(world: DoctorWorld) -> Health:
    """Look at everything, in the order in which a command would need it."""
    desired, declarations = attempt("desired", world.declarations, _desired)
    api = attempt("address.api", world.api, _answers("address.api"))[0]
    at_token = attempt("address.token", world.token, _answers("address.token"))
    token, arrival = at_token
    return Health(
        (
            _settings(world),
            _with_hint(desired),
            api,
            token,
            _clock(arrival),
            *tenant_checks(world, api, token, declarations),
            _key(world.key),
            *ledger_checks(world.ledger, None if declarations is None else declarations.tenant),
        )
    )


def _settings(world: DoctorWorld) -> Check:
    if not world.refused:
        names = ", ".join(world.variables)
        return good("settings", f"Set by variables: {names}." if names else "No variable is set.")
    summary = " ".join(problem.summary for problem in world.refused)
    hints = " ".join(problem.hint for problem in world.refused if problem.hint)
    code = world.refused[0].code
    return bad("settings", InvalidError(summary, code=code, hint=hints or None))


def _desired(declarations: Declarations | None) -> Check:
    if declarations is None:
        return warning(
            "desired",
            "There is no folder with a desired state.",
            "Name it with --desired; without one there is nothing to plan.",
        )
    agents = sum(len(team.members) for team in declarations.teams)
    counts = (
        (len(declarations.teams), "team"),
        (agents, "agent"),
        (len(declarations.overrides), "override"),
    )
    return good("desired", f"Valid: {', '.join(count(*pair) for pair in counts)}.")


def _with_hint(desired: Check) -> Check:
    """Problems of files have their own hints, and places; only one of them has no need of more."""
    if desired.state is not State.BAD or desired.hint is not None:
        return desired
    return replace(desired, hint="cxplan validate shows each with its place.")


def _answers(name: str) -> Callable[[Arrival], Check]:
    return lambda arrival: good(name, f"{arrival.address} answers.")


def _clock(arrival: Arrival | None) -> Check:
    if arrival is None:
        return not_checked("clock", "No server gave its time.")
    if arrival.date is None:
        return not_checked("clock", f"{arrival.address} did not give its time.")
    ahead = round((arrival.at - arrival.date).total_seconds())
    off = timedelta(seconds=abs(ahead))
    if off <= NO_HARM:
        return good("clock", f"{count(abs(ahead), 'second')} from the server's.")
    found = (
        f"This machine is {off} {'ahead of' if ahead > 0 else 'behind'} the server: shifts and "
        "overrides are judged, plans expire and evidence is dated by a wrong clock."
    )
    if off <= SOME_HARM:
        return warning("clock", found, _CLOCK_HINT)
    return bad("clock", InvalidError(found, code="clock.off", hint=_CLOCK_HINT))


def _key(key: Callable[[], str] | None) -> Check:
    if key is None:
        return warning(
            "key",
            "None is set: plan needs none, apply refuses to run.",
            "Make one with cxplan keys generate, then give it with --signing-key FILE.",
        )
    try:
        fingerprint = key()
    except CxplanError as error:
        return bad("key", error, Exit.UNAPPROVED)
    return good("key", f"It signs, and only its owner can read it: {fingerprint}.")
