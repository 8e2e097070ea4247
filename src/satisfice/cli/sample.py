"""The configuration that `satisfice init` writes: what was found here, each line explained, and no secret."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final

from satisfice.catalog.offers import Catalog
from satisfice.cli.plan import TOKEN_VARIABLE, Plan
from satisfice.cli.wording import count
from satisfice.config.schema import ProviderConfig

__all__ = ["SCHEMA_FILE", "sample"]

SCHEMA_FILE: Final = "satisfice.schema.json"
"""Where editors look for the schema: beside the file."""


def sample(made: Plan, catalog: Catalog, *, has_schema: bool) -> str:
    """The text of the file. `has_schema`: the schema lies beside it."""
    schema = _SCHEMA if has_schema else _NO_SCHEMA
    token = "" if made.config.server.access_token else "# "
    server = _SERVER.format(token=token, variable=TOKEN_VARIABLE)
    providers = list(_providers(made, catalog)) or [_NO_PROVIDER]
    return "\n".join([schema + _HEAD, server, _RATES, *_routing(made, catalog), *providers])


def _routing(made: Plan, catalog: Catalog) -> Iterator[str]:
    """What it takes that providers can be used which don't say what they cost."""
    priced = {offer.provider for offer in catalog.offers if offer.price is not None}
    unpriced = [provider.name for provider in made.config.providers if provider.name not in priced]
    if unpriced:
        about = _UNPRICED.format(names=", ".join(unpriced))
        lines = textwrap.wrap(about, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
        yield "\n".join(["[routing]", *lines, "allow_unpriced = true\n"])


def _providers(made: Plan, catalog: Catalog) -> Iterator[str]:
    for provider in made.config.providers:
        variable = made.where[provider.name]
        about = f"The variable {variable} was set; the key stays there."
        yield _provider(provider, about=about, line=f'key = "env:{variable}"')
    for provider in made.maybe:
        models = sum(offer.provider == provider.name for offer in catalog.offers)
        if models:
            where = made.where[provider.name]
            about = f"A model server answered at {where}, with {count(models, 'model')}."
            yield _provider(provider, about=about, line="free = true  # its models cost nothing")


def _provider(provider: ProviderConfig, *, about: str, line: str) -> str:
    return f'[[providers]]\n# {about}\nname = "{provider.name}"\nurl = "{provider.endpoint.url}"\n{line}\n'


_SCHEMA: Final = f"#:schema ./{SCHEMA_FILE}\n"
_NO_SCHEMA: Final = f"""\
# For completion in an editor: run `satisfice config schema > {SCHEMA_FILE}`, and begin this file with
# the line `#:schema ./{SCHEMA_FILE}`.
"""
_HEAD: Final = """\
# Written by `satisfice init` from what it found. `satisfice config example` shows every setting there is,
# `satisfice check` finds what is wrong.
"""
_SERVER: Final = """\
[server]
# Where your programs find the gateway: http://127.0.0.1:8402/v1. To let other machines in, change the host and
# set an access token, which they send as their API key.
host = "127.0.0.1"
port = 8402
{token}access_token = "env:{variable}"
"""
_RATES: Final = """\
[rates]
# US dollars for a bitcoin, by which prices in dollars are turned into sats. Without it, those that providers list count
# as unknown, and those in this file are an error.
# usd_per_btc = 95_000
"""
_UNPRICED: Final = (
    "What these charge is not known: {names}. Models without a price are used only because of this line, and only when "
    "none with a price is left; never by `auto`. Drop it once their prices are written down here; `satisfice config "
    "example` shows how."
)
_WIDTH: Final = 112
_NO_PROVIDER: Final = """\
# No key was in the environment and no model server on this machine. A provider is written so:
# [[providers]]
# name = "openrouter"
# url = "https://openrouter.ai/api/v1"
# key = "env:OPENROUTER_API_KEY"
"""
