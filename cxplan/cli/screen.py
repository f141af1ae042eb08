"""Where output goes: data to stdout, talk to stderr; a reader that went away stops nothing."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from dataclasses import dataclass
from typing import IO, Any

import click

GONE = (errno.EPIPE, errno.EIO)
"""How a stream answers whose reader, or whose terminal, went away."""


class Unwritable(OSError):
    """An output has no room: a full disk behind it, mostly."""


@dataclass(frozen=True, slots=True)
class Screen:
    """The two streams, and how they are wanted."""

    json: bool
    quiet: bool
    color: bool
    """Whether stdout takes colour; stderr is asked apart."""

    def data(self, text: str) -> None:
        """Write what a command is for, to stdout; wrapped only where that is a terminal."""
        _write(sys.stdout, wrapped(text, sys.stdout))

    def document(self, document: dict[str, Any]) -> None:
        """Write the one JSON document, to stdout."""
        _write(sys.stdout, json.dumps(document, ensure_ascii=True, indent=2) + "\n")

    def talk(self, text: str) -> None:
        """Write what is only good to know, to stderr, unless it is to be quiet."""
        if not self.quiet:
            _write(sys.stderr, text)

    def complain(self, text: str) -> None:
        """Write what went wrong, to stderr."""
        _write(sys.stderr, wrapped(text, sys.stderr))


def wrapped(text: str, stream: IO[str]) -> str:
    """Return ``text`` as wide as the terminal behind ``stream``, unchanged where there is none."""
    if not stream.isatty():
        return text
    from cxplan.views.wrapping import wrap

    return wrap(text, shutil.get_terminal_size().columns)


def wants_color(stream: IO[str], *, no_color: bool) -> bool:
    """Tell whether a stream is a terminal that may be coloured."""
    return not no_color and stream.isatty() and os.environ.get("TERM") != "dumb"


def _write(stream: IO[str], text: str) -> None:
    """Write at once; raises ``Unwritable`` once where a stream has no room, and is silent then."""
    try:
        click.echo(text, file=stream, nl=False)
        stream.flush()
    except OSError as error:
        silence(stream)
        if error.errno not in GONE:
            raise Unwritable(error.errno, error.strerror) from None
    except UnicodeEncodeError:
        click.echo(text.encode("ascii", "backslashreplace").decode(), file=stream, nl=False)


def silence(stream: IO[str]) -> None:
    """Let further output to a stream whose reader is gone vanish."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, stream.fileno())
    os.close(devnull)
