"""What a gateway is to be built from: a file of settings, or else what is found here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from satisfice.cli import render
from satisfice.cli.exits import Misconfigured
from satisfice.config.environment import KNOWN_PROVIDERS, LOCAL_SERVERS, LocalServer, from_environment
from satisfice.config.load import default_config, find, read
from satisfice.config.problems import summary
from satisfice.config.schema import Config, ProviderConfig
from satisfice.core.secrets import Secret

__all__ = ["TOKEN_VARIABLE", "Plan", "here", "plan"]

TOKEN_VARIABLE: Final = "SATISFICE_TOKEN"  # noqa: S105 - the name of a variable
"""Where the access token is when there is no file to say so."""


class Plan(NamedTuple):
    """What a gateway is to be built from."""

    config: Config
    file: Path | None
    """None: there is no file; what is here was taken."""
    maybe: Sequence[ProviderConfig]
    """Providers that may not be there."""
    where: Mapping[str, str]
    """Where each provider was found, if no file names it: the variable of its key, or its address here."""
    missing: Sequence[str]
    """Known variables that hold no key."""

    @property
    def providers(self) -> Sequence[ProviderConfig]:
        """All of them."""
        return (*self.config.providers, *self.maybe)

    def without_port(self, port: int) -> Plan:
        """The same, but nothing is expected at this port of our own."""
        own = f"localhost:{port}"
        return self._replace(maybe=tuple(each for each in self.maybe if self.where[each.name] != own))


def plan(
    named: Path | None,
    env: Mapping[str, str],
    *,
    local: Sequence[LocalServer] = LOCAL_SERVERS,
    shows_warnings: bool = True,
) -> Plan:
    """By the file that is named or else found, or by what is here.

    Shows what is wrong with a file; `Misconfigured` if it can't be used.
    """
    file = named or find(env, Path())
    if file is None:
        return here(env, local)
    loaded = read(file, env)
    if shows_warnings or loaded.config is None:
        render.problems(loaded.problems)
    if loaded.config is None:
        raise Misconfigured(f"{file} can't be used: {summary(loaded.problems)}.", hint=f"satisfice check {file}")
    return Plan(loaded.config, file, maybe=(), where={}, missing=())


def here(env: Mapping[str, str], local: Sequence[LocalServer] = LOCAL_SERVERS) -> Plan:
    """By what is here, whether there is a file or not."""
    default = default_config()
    token = env.get(TOKEN_VARIABLE, "").strip()
    server = msgspec.structs.replace(default.server, access_token=Secret(token)) if token else default.server
    # Providers found by a key alone list no prices, for the most part.
    routing = msgspec.structs.replace(default.routing, allow_unpriced=True)
    providers = from_environment(env)
    variables = {known.name: known.variable for known in KNOWN_PROVIDERS}
    found = {provider.name: variables[provider.name] for provider in providers}
    addresses = {each.name: f"localhost:{each.port}" for each in local}
    return Plan(
        config=msgspec.structs.replace(default, server=server, routing=routing, providers=providers),
        file=None,
        maybe=tuple(each.provider for each in local),
        where={**addresses, **found},
        missing=tuple(variable for name, variable in variables.items() if name not in found),
    )
