"""Options and environment to frozen settings.

Each global option has a variable ``CXPLAN_…``; what stands on the command line wins. An unknown
``CXPLAN_…`` is an error, since a misspelt variable would otherwise be ignored without a word.
Addresses and secrets come from here only, never from the desired state.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cxplan.core.errors import AuthError, InvalidError
from cxplan.core.secret import Secret

API_URL = "https://api.niceincontact.com"
TOKEN_URL = "https://platform.niceincontact.com/oauth/token"  # noqa: S105 - an address

TEXT_OPTIONS = (
    "chdir",
    "desired",
    "audit",
    "signing_key",
    "api_url",
    "token_url",
    "tenant",
    "ca_bundle",
    "proxy",
    "concurrency",
)
FLAG_OPTIONS = ("json", "no_color", "quiet", "verbose")
GLOBAL_OPTIONS = TEXT_OPTIONS + FLAG_OPTIONS

_PREFIX = "CXPLAN_"
_FLAG_WORDS = {
    "1": True,
    "true": True,
    "yes": True,
    "0": False,
    "false": False,
    "no": False,
    "": False,
}
MAX_SECRET_BYTES = 16 * 1024
_WIDTH = range(1, 65)


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for every command."""

    folder: Path
    """What relative paths are relative to."""
    desired: Path
    audit: Path
    signing_key: Path | None
    api_url: str
    token_url: str
    tenant: str | None
    ca_bundle: Path | None
    proxy: str | None
    concurrency: int
    json: bool
    no_color: bool
    quiet: bool
    verbose: bool

    def path(self, text: str) -> Path:
        """Return a path from the command line, relative to ``folder``."""
        return self.folder / text


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who asks for the token."""

    client_id: str
    client_secret: Secret


def load_settings(options: Mapping[str, object], environ: Mapping[str, str]) -> Settings:
    """Return the settings that ``options`` (given ones only) and ``environ`` make together.

    Raises:
        InvalidError: an unknown variable, or a value that cannot be.
    """
    _refuse_unknown(environ)
    values = {name: _value(name, options, environ) for name in GLOBAL_OPTIONS}
    text = {name: str(value) for name, value in values.items() if value is not None}
    folder = Path(text.get("chdir", "."))
    if not folder.is_dir():
        raise InvalidError(
            f"There is no folder {folder}.", code="path.type", hint="Correct --chdir."
        )
    return Settings(
        folder=folder,
        desired=folder / text.get("desired", "desired"),
        audit=folder / text.get("audit", "audit"),
        signing_key=_optional_path(folder, text.get("signing_key")),
        api_url=text.get("api_url", API_URL),
        token_url=text.get("token_url", TOKEN_URL),
        tenant=text.get("tenant"),
        ca_bundle=_optional_path(folder, text.get("ca_bundle")),
        proxy=text.get("proxy"),
        concurrency=_width(text.get("concurrency", "16")),
        json=_flag("json", values["json"]),
        no_color=_flag("no_color", values["no_color"]) or bool(environ.get("NO_COLOR")),
        quiet=_flag("quiet", values["quiet"]),
        verbose=_flag("verbose", values["verbose"]),
    )


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = {variable(name) for name in GLOBAL_OPTIONS}
    for name in sorted(environ):
        if name.startswith(_PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else "Unset it."
            shown = name if re.fullmatch(r"[A-Z0-9_]{1,64}", name, re.ASCII) else f"{_PREFIX}…"
            raise InvalidError(f"Unknown variable {shown}.", code="env.unknown", hint=hint)


def variable(option: str) -> str:
    """Return the variable of a global option."""
    return _PREFIX + option.upper()


def _value(name: str, options: Mapping[str, object], environ: Mapping[str, str]) -> object:
    """Return what was given; an empty variable is what CI makes of one that is not set."""
    given = options.get(name)
    if given == "":
        raise empty("--" + name.replace("_", "-"))
    return (environ.get(variable(name)) or None) if given is None else given


def empty(flag: str) -> InvalidError:
    """Return the error of an option whose value is no text at all."""
    return InvalidError(
        f"{flag} is given and empty.",
        code="usage",
        hint="Give a value, or leave the option out; perhaps a variable is not set.",
    )


def _flag(name: str, value: object) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    word = _FLAG_WORDS.get(str(value).lower())
    if word is None:
        raise InvalidError(f"{variable(name)} must be 1 or 0.", code="usage.range")
    return word


def flag_in(environ: Mapping[str, str], name: str) -> bool:
    """Return what a flag's variable says, where a failure leaves no time to complain about it."""
    return _FLAG_WORDS.get(environ.get(variable(name), "").lower(), False)


def _optional_path(folder: Path, text: str | None) -> Path | None:
    return None if text is None else folder / text


def _width(text: str) -> int:
    if not re.fullmatch(r"\d{1,3}", text, re.ASCII) or int(text) not in _WIDTH:
        raise InvalidError("--concurrency must be a whole number from 1 to 64.", code="usage.range")
    return int(text)


def load_credentials(environ: Mapping[str, str]) -> Credentials:
    """Return the client's credentials from the environment, or from files that it names.

    Raises:
        AuthError: some are missing; all of them are named at once.
        InvalidError: a file cannot be read.
    """
    names = ("CXONE_CLIENT_ID", "CXONE_CLIENT_SECRET")
    found = {name: _credential(name, environ) for name in names}
    missing = [name for name in names if not found[name]]
    if missing:
        raise AuthError(
            f"Missing credentials: {', '.join(missing)}.",
            code="auth.missing",
            hint="Set them in the environment, or set the name with _FILE to a file's path.",
        )
    return Credentials(str(found[names[0]]), Secret(str(found[names[1]])))


def _credential(name: str, environ: Mapping[str, str]) -> str | None:
    path = environ.get(f"{name}_FILE")
    if environ.get(name) or path is None:
        return environ.get(name)
    try:
        with Path(path).open("rb") as file:
            text = file.read(MAX_SECRET_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidError(
            f"Cannot read the file that {name}_FILE names: {type(error).__name__}.",
            code="path.unreadable",
            hint="Name a file that holds nothing but the value.",
        ) from None
    return text.strip()
