"""What doctor looks at, made from settings, each part so that another's failure does not matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from cxplan.audit.health import FolderHealth, probe_key
from cxplan.core.errors import InvalidError, Problem
from cxplan.core.health import Arrival
from cxplan.core.model import Declarations
from cxplan.core.secret import Secret
from cxplan.ports import Tenant
from cxplan.settings import (
    API_URL,
    TOKEN_URL,
    Settings,
    load_credentials,
    load_settings,
    variable,
)
from cxplan.tenant.connection import Connection
from cxplan.tenant.grant import READING, WRITING
from cxplan.tenant.reach import reach
from cxplan.usecases.doctor import DoctorWorld
from cxplan.wiring import edges
from cxplan.wiring.system import SystemClock

_PREFIX = variable("")


def lenient_settings(
    options: Mapping[str, object], environ: Mapping[str, str]
) -> tuple[Settings, tuple[Problem, ...]]:
    """Return the settings without the variables that are refused, and what is wrong with those.

    Raises:
        InvalidError: an option of the command line cannot be, or there is no folder to work in.
    """
    overruled = {variable(name) for name in (*options, "chdir")}
    refused: dict[str, Problem] = {}
    for name in sorted(n for n in environ if n.startswith(_PREFIX) and n not in overruled):
        try:
            load_settings({}, {name: environ[name]})
        except InvalidError as error:
            refused[name] = error.problem
    kept = {name: value for name, value in environ.items() if name not in refused}
    return load_settings(options, kept), tuple(refused.values())


def world(
    settings: Settings, refused: tuple[Problem, ...], environ: Mapping[str, str]
) -> DoctorWorld:
    """Join what a doctor looks at; nothing is looked at yet."""
    key = settings.signing_key
    sites = _Sites(settings)
    return DoctorWorld(
        variables=tuple(sorted(n for n in environ if n.startswith(_PREFIX))),
        refused=refused,
        declarations=partial(_declarations, settings),
        api=sites.api,
        token=sites.token,
        client=lambda: load_credentials(environ).client_id,
        tenant=partial(_tenant, settings, environ),
        reading=READING,
        writing=WRITING,
        key=None if key is None else partial(probe_key, key),
        ledger=FolderHealth(settings.audit, SystemClock()),
    )


def _declarations(settings: Settings) -> Declarations | None:
    if not settings.desired.exists():
        return None
    return edges.read_declarations(settings, edges.desired_source(settings))


def _tenant(settings: Settings, environ: Mapping[str, str]) -> Tenant:
    return edges.tenant(settings, environ)


@dataclass(frozen=True, slots=True)
class _Sites:
    """The two addresses, each looked at by itself: the other one is replaced by one that holds.

    Neither is asked with credentials, so that none can go astray.
    """

    settings: Settings

    def api(self) -> Arrival:
        connection = self._connection(self.settings.api_url, TOKEN_URL)
        return reach(connection, connection.api, "--api-url", SystemClock())

    def token(self) -> Arrival:
        connection = self._connection(API_URL, self.settings.token_url)
        return reach(connection, connection.token, "--token-url", SystemClock())

    def _connection(self, api_url: str, token_url: str) -> Connection:
        bundle = self.settings.ca_bundle
        return Connection(
            api_url=api_url,
            token_url=token_url,
            client_id="nobody",
            client_secret=Secret("none"),
            ca_bundle=None if bundle is None else str(bundle),
            proxy=self.settings.proxy,
        )
