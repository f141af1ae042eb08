"""The root of the command line, and the one place where every ending becomes an exit code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from cxplan.cli.options import LazyGroup
from cxplan.version import __version__

if TYPE_CHECKING:
    from cxplan.cli.screen import Screen, Unwritable
    from cxplan.cli.session import Result
    from cxplan.core.errors import Exit, Problem

EXIT_HELP = """\b
Exit codes:
  0    ok            done, or nothing to do
  1    internal      a bug in cxplan
  2    changes       with --detailed-exitcode: an agent is ready, or drift
  3    invalid       usage, desired state, settings or an output path
  4    blocked       a guard denies, or agents are blocked by a check
  5    partial       an agent that was ready is not as desired
  6    stale         nothing was written: the plan no longer holds
  7    auth          credentials, scope, permission or certificate
  8    locked        another run holds the ledger
  9    unapproved    confirmation, key or an intact plan file is missing
  10   unavailable   the tenant is unreachable or answers what is refused
  11   unknown       a write whose outcome could not be determined
  12   audit         journal or bundle cannot be written or does not verify
  129  interrupted   after an orderly stop on SIGHUP
  130  interrupted   after an orderly stop on SIGINT
  143  interrupted   after an orderly stop on SIGTERM
"""


LAZY = {
    "apply": ("cxplan.cli.applying", "Execute a saved plan, or plan, ask and execute."),
    "audit": ("cxplan.cli.auditing", "Check and read the signed bundles of past runs."),
    "drift": ("cxplan.cli.drifting", "Show what moved on the tenant since cxplan wrote it."),
    "demo": ("cxplan.cli.demo", "Tell the whole story on a simulated tenant."),
    "doctor": ("cxplan.cli.doctoring", "Check address, clock, credentials, key and ledger."),
    "explain": ("cxplan.cli.explaining", "Show an agent's values and the lines that made them."),
    "keys": ("cxplan.cli.keys", "Make the key that seals bundles."),
    "plan": ("cxplan.cli.planning", "Show what would change, checked against shifts and limits."),
    "recover": ("cxplan.cli.recovering", "Find out how a cut-off run ended, and seal it."),
    "rollback": ("cxplan.cli.rolling", "Plan the way back from a run."),
    "show": ("cxplan.cli.planning", "Show a plan, a snapshot or the bundle of a run, offline."),
    "simulate": ("cxplan.cli.simulating", "Stand in for a tenant, on this machine only."),
    "snapshot": ("cxplan.cli.snapshotting", "Read the live state of the agents into a file."),
    "validate": ("cxplan.cli.planning", "Read the desired state and report every error."),
}
"""Every command's module and short help; a test holds the help against the command's own."""


RUN = "cxplan/report"
KINDS = {"apply": RUN, "rollback": "cxplan/plan"}
"""The kind of a command's JSON where it is not the command's name."""


@click.group("cxplan", cls=LazyGroup, lazy=LAZY, epilog=EXIT_HELP)
@click.version_option(__version__, message="cxplan %(version)s")
def root() -> None:
    """Work modes and skill levels of a CXone contact centre as code.

    Declare them in YAML, see what would change, apply it with a lock on every agent, and keep
    signed evidence of what was done.
    """


class _Call:
    """What was typed, and the words of it that name the command, as far as it was found."""

    def __init__(self, arguments: list[str]) -> None:
        self.arguments = arguments
        self.words: list[str] = []

    @property
    def kind(self) -> str:
        """The kind of its JSON, of a failure as of a success."""
        verb = "-".join(self.words) or "error"
        return KINDS.get(verb, f"cxplan/{verb}")


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; the outermost handler of the program."""
    if sys.platform == "win32":
        click.echo("cxplan runs on Linux and macOS; on Windows, use WSL.", err=True)
        return 3
    call = _Call(arguments)
    try:
        result: Result | int = root.main(
            arguments, prog_name="cxplan", standalone_mode=False, obj=call.words
        )
    except (click.Abort, KeyboardInterrupt):
        return _interrupted(call)
    except Exception as error:  # noqa: BLE001 - the one outermost handler: nobody sees a traceback
        return _failed(call, error)
    return result if isinstance(result, int) else _finish(call, result)


def _interrupted(call: _Call) -> int:
    from cxplan.core.errors import Exit, Problem

    return _fail(call, Exit.INTERRUPTED, (Problem("interrupted", "Interrupted."),))


def _failed(call: _Call, error: Exception) -> int:
    from cxplan.cli.screen import Unwritable
    from cxplan.core.errors import CxplanError, Exit

    if isinstance(error, Unwritable):
        return _unshown(_screen(call), Exit.INVALID, error)
    if isinstance(error, CxplanError):
        return _fail(call, error.exit_code, error.problems)
    if isinstance(error, click.ClickException):
        return _usage(call, error)
    return _internal(call, error)


def _finish(call: _Call, result: Result) -> int:
    """Show a result; what a run did stays as it is where nobody can be told."""
    from cxplan.cli.screen import Unwritable
    from cxplan.core.errors import Exit

    screen = result.screen or _screen(call)
    try:
        _show(screen, result)
    except Unwritable as error:
        lost = result.exit is Exit.OK and result.kind != RUN
        return _unshown(screen, Exit.INVALID if lost else result.exit, error)
    return int(result.exit)


def _unshown(screen: Screen, code: Exit, error: Unwritable) -> int:
    from contextlib import suppress

    with suppress(OSError):
        screen.complain(f"Error: the output cannot be written: {error.strerror}.\n")
    return int(code)


def _show(screen: Screen, result: Result) -> None:
    from cxplan.views.paint import Paint
    from cxplan.views.problems import exit_document, problem_document, problems_text

    if screen.json:
        document = dict(result.members)
        if result.kind is not None:
            errors = [problem_document(problem) for problem in result.problems]
            document = {"kind": result.kind, "formatVersion": "1.0", "errors": errors} | document
        screen.document(document | {"exit": exit_document(result.exit)})
    else:
        screen.data(result.text)
        screen.talk(result.after)
        if result.problems:
            screen.complain(problems_text(result.problems, Paint()))


def _usage(call: _Call, error: click.ClickException) -> int:
    from cxplan.core.errors import Exit, Problem

    ctx = getattr(error, "ctx", None)
    hint = f"See {ctx.command_path} --help." if ctx else "See cxplan --help."
    return _fail(call, Exit.INVALID, (Problem("usage", error.format_message(), hint=hint),))


def _internal(call: _Call, error: Exception) -> int:
    import traceback

    from cxplan.core.errors import Exit, Problem

    if "-v" in call.arguments or "--verbose" in call.arguments:
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        where = " at " + " < ".join(f"{f.name}:{f.lineno}" for f in reversed(frames))
    else:
        where = ""
    problem = Problem(
        "internal",
        f"cxplan {__version__} failed: {type(error).__name__}{where}.",
        hint="This is a bug. Report the command, this line and the output with -v.",
    )
    return _fail(call, Exit.INTERNAL, (problem,))


def _fail(call: _Call, code: Exit, problems: tuple[Problem, ...]) -> int:
    from cxplan.cli.session import Result

    return _finish(call, Result(code, kind=call.kind, problems=problems))


def _screen(call: _Call) -> Screen:
    """Return a screen for a failure, which may be that the settings could not be read."""
    from cxplan.cli.screen import Screen
    from cxplan.cli.session import environment
    from cxplan.settings import flag_in

    wants_json = "--json" in call.arguments or flag_in(environment(), "json")
    return Screen(json=wants_json, quiet=False, color=False)
