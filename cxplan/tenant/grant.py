"""What a token answer grants: read strictly, and refused before any of it is used.

Of the answer only ``access_token``, ``token_type``, ``expires_in``, ``scope`` and ``tenantId`` are
looked at; what else it offers, addresses above all, is never used. No message quotes any of it.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from dataclasses import dataclass
from typing import Any

from cxplan.core.canonical import StrictJsonError, parse_json
from cxplan.core.errors import AuthError
from cxplan.core.secret import Secret

READING = ("agent:read", "skill:read", "wfm:read")
WRITING = ("agent:write", "events:publish")

_PERMISSIONS = {
    "agent:read": "Agent Management",
    "agent:write": "Agent Management",
    "skill:read": "Agent Management",
    "wfm:read": "Workforce Management",
    "events:publish": "Workforce Management",
}
_DEFAULT_LIFE = 300.0
_CONTAINERS = 1000
_LONGEST_LIFE = 86_400.0
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")
_TENANT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_SECONDS = re.compile(r"-?[0-9]{1,18}")
_OAUTH_ERRORS = frozenset(
    {"invalid_client", "invalid_grant", "invalid_request", "invalid_scope", "unauthorized_client"}
)


@dataclass(frozen=True, slots=True)
class Grant:
    """A token, the seconds it serves, and the tenant it names (a hint: nobody verified it)."""

    token: Secret
    life: float
    tenant_id: str | None


def read_grant(body: bytes, scopes: tuple[str, ...]) -> Grant:
    """Return what the answer grants; ``scopes`` are those that were asked for.

    Raises:
        AuthError: not JSON, a token that no header may carry (``auth.token``), another kind of
            token (``auth.token_type``), a life of nothing (``auth.expires``), a scope that is
            missing (``auth.scope``).
    """
    answer = _object(body)
    token = _token(answer)
    _check_kind(answer)
    life = _life(answer)
    _check_scopes(answer, scopes)
    return Grant(Secret(token), life, _tenant_id(answer, token))


def _unusable(what: str, code: str = "auth.token") -> AuthError:
    return AuthError(
        f"The token endpoint's answer is refused: {what}.",
        code=code,
        hint="Check --token-url; the answer was not used.",
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        answer = parse_json(body, max_containers=_CONTAINERS)
    except StrictJsonError:
        raise _unusable("it is not strict JSON") from None
    if not isinstance(answer, dict):
        raise _unusable("it is not a JSON object")
    return answer


def _token(answer: dict[str, Any]) -> str:
    token = answer.get("access_token")
    if not isinstance(token, str) or not token:
        raise _unusable("it holds no access_token")
    if not _TOKEN.fullmatch(token):
        raise _unusable("its access_token holds characters that no header may carry")
    return token


def _check_kind(answer: dict[str, Any]) -> None:
    kind = answer.get("token_type")
    if kind is not None and (not isinstance(kind, str) or kind.lower() != "bearer"):
        raise _unusable("its token is not a bearer token", "auth.token_type")


def _life(answer: dict[str, Any]) -> float:
    """A missing life is short, a long one is cut, one that is over before it begins is refused."""
    said = answer.get("expires_in")
    if said is None:
        return _DEFAULT_LIFE
    if isinstance(said, str) and _SECONDS.fullmatch(said):
        said = int(said)
    if isinstance(said, bool) or not isinstance(said, int | float):
        raise _unusable("its expires_in is not a number", "auth.expires")
    if not math.isfinite(said) or said <= 0:
        raise _unusable("its token has already expired", "auth.expires")
    return min(float(said), _LONGEST_LIFE)


def _check_scopes(answer: dict[str, Any], scopes: tuple[str, ...]) -> None:
    """Only where the answer names its scopes: some deployments don't."""
    said = answer.get("scope")
    if not isinstance(said, str) or not said.strip():
        return
    missing = sorted(set(scopes).difference(said.split()))
    if missing:
        raise lacks(*missing)


def lacks(*scopes: str) -> AuthError:
    """Return the error of a client without ``scopes``: who needs them and what grants them."""
    names = ", ".join(scopes)
    return AuthError(
        f"The client lacks the scope {names}, which {_who_needs(scopes)}.",
        code="auth.scope",
        hint=f"Grant the client that scope, and its role {_permissions(scopes)}.",
    )


def _permissions(scopes: tuple[str, ...]) -> str:
    names = sorted({_PERMISSIONS[scope] for scope in scopes})
    return f"the permission {' and '.join(names)}"


def _who_needs(scopes: tuple[str, ...]) -> str:
    if set(scopes) <= set(WRITING):
        return "apply needs"
    return "plan, snapshot, import, drift and apply need"


def refusal(status: int, body: bytes, scopes: tuple[str, ...]) -> AuthError:
    """Return the error of a 4xx; of its body only the error codes of RFC 6749 are named."""
    word = _oauth_error(body)
    said = f"{status} {word}" if word else str(status)
    if word == "invalid_scope":
        return AuthError(
            f"The token endpoint grants no token for the scopes {', '.join(scopes)} ({said}).",
            code="auth.scope",
            hint=f"Grant the client these scopes, and its role {_permissions(scopes)}.",
        )
    return AuthError(
        f"The token endpoint refused the client's credentials ({said}).",
        hint="Check CXONE_CLIENT_ID, CXONE_CLIENT_SECRET and --token-url.",
    )


def _oauth_error(body: bytes) -> str | None:
    try:
        answer = parse_json(body, max_containers=_CONTAINERS)
    except StrictJsonError:
        return None
    word = answer.get("error") if isinstance(answer, dict) else None
    return word if isinstance(word, str) and word in _OAUTH_ERRORS else None


def _tenant_id(answer: dict[str, Any], token: str) -> str | None:
    """The answer's own member, else the claim of a JWT-shaped token."""
    return _tenant_text(answer.get("tenantId")) or _tenant_text(_claims(token).get("tenantId"))


def _tenant_text(said: object) -> str | None:
    if isinstance(said, int) and not isinstance(said, bool):
        said = str(said)
    return said if isinstance(said, str) and _TENANT_ID.fullmatch(said) else None


def _claims(token: str) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        return {}
    try:
        claims = parse_json(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, StrictJsonError):
        return {}
    return claims if isinstance(claims, dict) else {}
