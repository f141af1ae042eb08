"""Commands that take the global options, before and after their name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from cxplan.cli.session import Result, Session

_GLOBALS = "Global options"
_META = "cxplan.options"

_TEXTS = (
    (("-C", "--chdir"), "chdir", "DIR", "Work as if started in DIR."),
    (("--desired",), "desired", "DIR", "The desired state (default: desired)."),
    (("--audit",), "audit", "DIR", "The ledger of audit bundles (default: audit)."),
    (("--signing-key",), "signing_key", "FILE", "The private key that seals bundles."),
    (("--api-url",), "api_url", "URL", "The tenant's API (default: the profile's)."),
    (("--token-url",), "token_url", "URL", "The token endpoint (default: the profile's)."),
    (("--tenant",), "tenant", "NAME", "Refuse files that are not of this tenant."),
    (("--ca-bundle",), "ca_bundle", "FILE", "Certificates to trust instead of the built-in ones."),
    (("--proxy",), "proxy", "URL", "The only proxy that is used."),
    (("--concurrency",), "concurrency", "N", "Reads at once, 1 to 64 (default: 16)."),
)
_FLAGS = (
    (("--json",), "json", "One JSON document on stdout, on failure too."),
    (("--no-color",), "no_color", "No colour; NO_COLOR is honoured too."),
    (("-q", "--quiet"), "quiet", "No progress and no talk on stderr."),
    (("-v", "--verbose"), "verbose", "Where cxplan itself failed, say the place."),
)


def _remember(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
    if value is not None:
        ctx.meta.setdefault(_META, {})[parameter.name] = value


def remembered(ctx: click.Context) -> dict[str, object]:
    """Return the global options that were given, the later ones winning."""
    found: dict[str, object] = ctx.meta.get(_META, {})
    return found


def global_parameters() -> list[click.Parameter]:
    """Return fresh global options."""
    parameters: list[click.Parameter] = [
        GlobalOption(
            [*flags, name], metavar=metavar, help=text, callback=_remember, expose_value=False
        )
        for flags, name, metavar, text in _TEXTS
    ]
    parameters += [
        GlobalOption(
            [*flags, name],
            is_flag=True,
            default=None,
            help=text,
            callback=_remember,
            expose_value=False,
        )
        for flags, name, text in _FLAGS
    ]
    return parameters


class GlobalOption(click.Option):
    """An option that every command takes."""


class _Sectioned(click.Command):
    """A command whose help lists the global options apart."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then the global ones."""
        own: list[tuple[str, str]] = []
        common: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                (common if isinstance(parameter, GlobalOption) else own).append(record)
        for title, records in (("Options", own), (_GLOBALS, common)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class Command(_Sectioned):
    """A command with the global options, called with a ``Session`` first."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Add the global options to the command's own."""
        super().__init__(*args, **kwargs)
        self.params += global_parameters()


class Group(_Sectioned, click.Group):
    """A group of commands with the global options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Add the global options."""
        super().__init__(*args, **kwargs)
        self.params += global_parameters()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Note the word that names the command in the list that is the context's object."""
        found = super().resolve_command(ctx, args)
        if isinstance(ctx.obj, list) and found[0] is not None:
            ctx.obj.append(found[0])
        return found

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands first: they are what one looks for."""
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)


class LazyGroup(Group):
    """A group that imports a command only to run it; its help needs none of them."""

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        """Take for each command the module that has it in ``COMMANDS``, and its short help."""
        super().__init__(*args, **kwargs)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, sorted."""
        del ctx
        return sorted(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, importing its module."""
        del ctx
        if cmd_name not in self.lazy:
            return None
        found: click.Command = import_module(self.lazy[cmd_name][0]).COMMANDS[cmd_name]
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write names and short helps."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.lazy[name][1]) for name in self.list_commands(ctx)])


def command(name: str, function: Callable[..., Result]) -> click.Command:
    """Return a command that calls ``function(session, **options)``."""

    @click.pass_context
    def call(ctx: click.Context, /, **options: Any) -> Result:
        session = open_session(ctx)
        return replace(function(session, **options), screen=session.screen)

    call.__doc__ = function.__doc__
    # click's option decorators keep what they made in this attribute
    vars(call)["__click_params__"] = list(getattr(function, "__click_params__", []))
    return click.command(name, cls=Command)(call)


def group(name: str, text: str, **members: Callable[..., Result]) -> click.Group:
    """Return a group of commands, each named as its keyword."""
    made = Group(name, help=text)
    for member, function in members.items():
        made.add_command(command(member, function))
    return made


def open_session(ctx: click.Context) -> Session:
    """Return the session of a command: settings from the options so far and the environment."""
    import sys

    from cxplan.cli.screen import Screen, wants_color
    from cxplan.cli.session import Session, environment
    from cxplan.settings import load_settings

    environ = environment()
    settings = load_settings(remembered(ctx), environ)
    color = wants_color(sys.stdout, no_color=settings.no_color)
    screen = Screen(json=settings.json, quiet=settings.quiet, color=color)
    return Session(settings, environ, screen)
