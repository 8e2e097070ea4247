"""Every setting there is, once: its kind, its default, what it does; and the values that the gateway is built from.

The tables, of which those with long rows have a module each, are what
validation, suggestions, the annotated example, the reference page and the JSON
Schema for editors are all made of. A table is a frozen value whose fields are
annotated with a `Setting`.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from satisfice.catalog.names import Named
from satisfice.catalog.offers import Offer, Traits
from satisfice.config.addresses import Host
from satisfice.config.callers import KEYS, NAMES, POLICIES, POLICY_NAME, CallerKey
from satisfice.config.models import MODELS, TIERS
from satisfice.config.providers import FEEDS, PROVIDERS, FeedConfig
from satisfice.config.references import TOKEN
from satisfice.config.spans import KeyPath
from satisfice.config.state import StateFolder
from satisfice.config.tables import Setting, Table
from satisfice.config.values import SECONDS, Flag, Number, Whole
from satisfice.core.amounts import UsdPerBtc
from satisfice.core.secrets import Secret
from satisfice.health.breaker import Limits
from satisfice.ports import Endpoint
from satisfice.routing.policy import Policy

__all__ = [
    "FILE",
    "HEALTH",
    "RATES",
    "ROUTING",
    "SERVER",
    "TABLES",
    "Config",
    "HealthConfig",
    "ProviderConfig",
    "RatesTable",
    "RoutingConfig",
    "ServerConfig",
    "setting_at",
]

_LIMITS: Final = Limits()


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How callers reach the gateway."""

    host: Annotated[
        str,
        Setting(
            Host(),
            "The address to listen on. Anything but this machine's own needs an `access_token` or `[[keys]]`.",
            also=("listen", "bind", "address"),
        ),
    ] = "127.0.0.1"
    port: Annotated[int, Setting(Whole(0, 65_535), "The port to listen on; 0 takes any free one.")] = 8402
    access_token: Annotated[
        Secret | None,
        Setting(
            TOKEN,
            "What callers have to send as their API key.",
            example='"env:SATISFICE_TOKEN"',
            otherwise="any key will do",
            also=("master_key", "auth_token", "api_key", "token", "password"),
        ),
    ] = None
    max_body_mib: Annotated[
        int, Setting(Whole(1, 1_024), "The largest request body, in MiB.", also=("max_body_size", "body_limit"))
    ] = 32
    drain_timeout: Annotated[
        float,
        Setting(
            Number(0, 3_600, "seconds"),
            "Seconds that open calls may go on once the gateway has been told to stop.",
            also=("shutdown_timeout", "grace_period"),
        ),
    ] = 30.0
    state_dir: Annotated[
        str | None,
        Setting(
            StateFolder(),
            'The folder where what calls have taught is kept, to be known after a restart; `""`: it is not kept.',
            example='"/var/lib/satisfice"',
            otherwise="`$XDG_STATE_HOME/satisfice` or `~/.local/state/satisfice`; where there is no home, none",
            also=("state", "state_file", "data_dir", "cache_dir"),
        ),
    ] = None


class RatesTable(msgspec.Struct, frozen=True, kw_only=True):
    """What a bitcoin costs, for prices in dollars."""

    usd_per_btc: Annotated[
        UsdPerBtc | None,
        Setting(
            Whole(1, 1_000_000_000),
            "US dollars per bitcoin. Prices in dollars are turned into millisatoshi by it.",
            example="95_000",
            otherwise="prices in dollars are refused",
            also=("btc_usd", "btc_price", "usd"),
        ),
    ] = None


class RoutingConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Which offers may be used, and what happens when one fails or is slow."""

    policy: Annotated[
        str | None,
        Setting(
            POLICY_NAME,
            "The policy that applies when no other binds.",
            example='"careful"',
            otherwise="none",
            also=("default_policy",),
        ),
    ] = None
    allow_unpriced: Annotated[
        bool,
        Setting(
            Flag(),
            "Offers whose price isn't known may be used when none with a price is left, though never by `auto`.",
            example="true",
            also=("unpriced",),
        ),
    ] = False

    max_attempts: Annotated[
        int,
        Setting(
            Whole(1, 20), "How many attempts a call may take, the first included.", also=("num_retries", "retries")
        ),
    ] = 4
    hedge_after: Annotated[
        float | None,
        Setting(
            SECONDS,
            "Seconds without output after which the next offer is asked as well; the first to answer wins, "
            "and both may charge.",
            example="2.5",
            otherwise="one offer at a time",
        ),
    ] = None
    retry_ratio: Annotated[
        float,
        Setting(Number(0, 10), "Retries that each call that succeeds adds to the budget that all calls share."),
    ] = 0.2
    retry_reserve: Annotated[
        float, Setting(Number(0, 1_000), "Retries a second that are added to it in any case, for quiet times.")
    ] = 5.0
    backoff_initial: Annotated[
        float,
        Setting(
            Number(0, 3_600, "seconds"),
            "The longest first pause before an offer is tried again, in seconds; it doubles each time, "
            "and the real pause is a random part of it.",
        ),
    ] = 0.25
    backoff_max: Annotated[
        float, Setting(Number(0, 3_600, "seconds"), "What that bound doubles up to, in seconds.")
    ] = 8.0


class HealthConfig(msgspec.Struct, frozen=True, kw_only=True):
    """When an offer or a provider that fails is left alone, and for how long."""

    failures: Annotated[
        int,
        Setting(
            Whole(1, 1_000),
            "Failures in a row after which it is left alone.",
            also=("allowed_fails", "failure_threshold", "threshold", "max_failures"),
        ),
    ] = _LIMITS.failures
    open_for: Annotated[
        float,
        Setting(
            SECONDS,
            "Seconds until one call may try it again; they double each time that this fails.",
            also=("cooldown_time", "cooldown", "recovery_timeout", "reset_timeout"),
        ),
    ] = _LIMITS.open_for
    open_max: Annotated[
        float, Setting(SECONDS, "What those double up to, in seconds.", also=("max_cooldown", "open_for_max"))
    ] = _LIMITS.open_max
    probe_wait: Annotated[
        float,
        Setting(
            Number(0, 3_600, "seconds"),
            "Seconds that other calls wait for what comes of such a try when nothing else can be used.",
            also=("probe_timeout",),
        ),
    ] = 3.0

    @property
    def limits(self) -> Limits:
        """How the breakers behave of those for whom nothing else is said."""
        return Limits(failures=self.failures, open_for=self.open_for, open_max=self.open_max)


class ProviderConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A provider, ready for use."""

    endpoint: Endpoint
    offers: tuple[Offer, ...] = ()
    list_models: bool
    """Whether to ask it for more models than these."""
    free: bool = False
    """Whether the models that it lists cost nothing."""
    traits: Traits = Traits()
    """What is known of all its models."""
    limits: Limits | None = None
    """How its breakers behave, if not as others."""
    cache_lifetime: float | None = None
    """Seconds that it keeps a prompt in its cache; None: to be learnt."""

    @property
    def name(self) -> str:
        """What the operator calls it."""
        return self.endpoint.provider


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an operator can decide, ready for use."""

    server: ServerConfig = ServerConfig()
    routing: RoutingConfig = RoutingConfig()
    providers: tuple[ProviderConfig, ...] = ()
    usd_per_btc: UsdPerBtc | None = None
    health: HealthConfig = HealthConfig()
    policies: tuple[Policy, ...] = ()
    keys: tuple[CallerKey, ...] = ()
    models: tuple[Named, ...] = ()
    feeds: tuple[FeedConfig, ...] = ()


class _Nothing(msgspec.Struct, frozen=True):
    """The settings of one gateway."""


SERVER: Final = Table("server", ServerConfig, also=("general_settings", "litellm_settings", "http"))
RATES: Final = Table("rates", RatesTable, also=("rate", "exchange_rates", "currency"))
ROUTING: Final = Table("routing", RoutingConfig, also=("router", "router_settings"))
HEALTH: Final = Table("health", HealthConfig, also=("breaker", "circuit_breaker", "cooldowns"))
FILE: Final = Table("", _Nothing, tables=(SERVER, RATES, ROUTING, HEALTH, PROVIDERS, FEEDS, NAMES, POLICIES, KEYS))
TABLES: Final = (SERVER, RATES, ROUTING, HEALTH, PROVIDERS, MODELS, TIERS, FEEDS, NAMES, POLICIES, KEYS)
"""Every table, in the order of the reference page."""


def setting_at(path: KeyPath) -> Setting | None:
    """The setting that a place of the file belongs to, if there is one."""
    names = [name for name in path if isinstance(name, str)]
    table = next((each for each in TABLES if each.name == ".".join(names[:-1])), None)
    return next((each for each in table.settings if each.name == names[-1]), None) if table else None
