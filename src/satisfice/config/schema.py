"""Every setting there is, once: its kind, its default, what it does; and the values that the gateway is built from.

The tables below are what validation, suggestions, the annotated example, the
reference page and the JSON Schema for editors are all made of. A table is a
frozen value whose fields are annotated with a `Setting`.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from satisfice.catalog.offers import Offer
from satisfice.config.addresses import Address, Host, check_proxy, is_plain_proxy
from satisfice.config.references import Certificates, Sealed, check_token
from satisfice.config.spans import KeyPath
from satisfice.config.tables import Setting, Table
from satisfice.config.values import Flag, Number, Text, Usd, Whole, slug
from satisfice.core.amounts import UsdPerBtc
from satisfice.core.secrets import Secret
from satisfice.ports import Endpoint, Timeouts

__all__ = [
    "FILE",
    "MODELS",
    "PROVIDERS",
    "RATES",
    "ROUTING",
    "SERVER",
    "TABLES",
    "Config",
    "ModelTable",
    "ProviderConfig",
    "ProviderTable",
    "RatesTable",
    "RoutingConfig",
    "ServerConfig",
    "setting_at",
]

_PORT: Final = Whole(0, 65_535)
_SECONDS: Final = Number(0.001, 86_400, "seconds")
_TOKEN: Final = Sealed('a secret, written "env:NAME" or "file:PATH"', check_token, lambda _: False)
_RATE: Final = Whole(0, 10**15)
_DOLLARS: Final = Usd(1_000_000)
_ID: Final = Text("a name of printable ASCII without spaces", "[!-~]+")
_TIMES: Final = Timeouts()


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How callers reach the gateway."""

    host: Annotated[
        str,
        Setting(
            Host(),
            "The address to listen on. Anything but this machine's own needs an `access_token`.",
            also=("listen", "bind", "address"),
        ),
    ] = "127.0.0.1"
    port: Annotated[int, Setting(_PORT, "The port to listen on; 0 takes any free one.")] = 8402
    access_token: Annotated[
        Secret | None,
        Setting(
            _TOKEN,
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
    """What happens when an offer fails or is slow."""

    max_attempts: Annotated[
        int,
        Setting(
            Whole(1, 20), "How many attempts a call may take, the first included.", also=("num_retries", "retries")
        ),
    ] = 4
    hedge_after: Annotated[
        float | None,
        Setting(
            _SECONDS,
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


class ProviderTable(msgspec.Struct, frozen=True, kw_only=True):
    """Who sells or runs models, and how to reach it. One table for each provider."""

    name: Annotated[
        str,
        Setting(
            Text("lower-case letters, digits and dashes", "[a-z0-9][a-z0-9-]*", slug),
            "What you call it; callers may ask for `model@name`.",
            example='"openrouter"',
        ),
    ]
    url: Annotated[
        str,
        Setting(
            Address(),
            "The base address of its OpenAI-compatible API, up to and including `/v1` or the like.",
            example='"https://openrouter.ai/api/v1"',
            also=("base_url", "api_base", "baseurl", "endpoint"),
        ),
    ]
    key: Annotated[
        Secret | None,
        Setting(
            _TOKEN,
            "The API key to send.",
            example='"env:OPENROUTER_API_KEY"',
            otherwise="the environment variable `SATISFICE_<NAME>_API_KEY`, if set; else none is sent",
            also=("api_key", "apikey", "token", "secret"),
        ),
    ] = None
    proxy: Annotated[
        Secret | None,
        Setting(
            Sealed("an http://, socks5:// or socks5h:// address, or a reference to one", check_proxy, is_plain_proxy),
            "Reach it through this proxy; `socks5h` leaves name look-up to the proxy, as Tor needs.",
            example='"socks5h://127.0.0.1:9050"',
            otherwise="what the environment says (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`)",
            also=("http_proxy", "https_proxy", "proxy_url"),
        ),
    ] = None
    ca_file: Annotated[
        str | None,
        Setting(
            Certificates(),
            "Certificates to trust besides the system's, in PEM form.",
            example='"/etc/ssl/my-ca.pem"',
            otherwise="the system's alone",
            also=("ca_bundle", "ca_cert", "ssl_ca"),
        ),
    ] = None
    connect_timeout: Annotated[
        float, Setting(_SECONDS, "Seconds until the connection stands, name look-up, proxy and TLS included.")
    ] = _TIMES.connect
    first_byte_timeout: Annotated[
        float,
        Setting(_SECONDS, "Seconds from the request until the answer begins; in streams, until the first real output."),
    ] = _TIMES.first_byte
    idle_timeout: Annotated[float, Setting(_SECONDS, "Seconds between two pieces of an answer.")] = _TIMES.idle
    total_timeout: Annotated[
        float,
        Setting(
            _SECONDS, "Seconds for the whole call, all its attempts included.", also=("timeout", "request_timeout")
        ),
    ] = _TIMES.total
    free: Annotated[
        bool, Setting(Flag(), "Every model of it costs nothing, as on a model server of your own.", example="true")
    ] = False
    list_models: Annotated[
        bool | None,
        Setting(
            Flag(),
            "Ask the provider (`GET /models`) which more models it has.",
            example="true",
            otherwise="true if no models are given here, else false",
            also=("auto_discover", "discover"),
        ),
    ] = None


class ModelTable(msgspec.Struct, frozen=True, kw_only=True):
    """A model of the provider above, and its price: in millisatoshi, in dollars, or `free`."""

    id: Annotated[
        str,
        Setting(_ID, "What callers ask for.", example='"gpt-4o"', also=("name", "model", "model_name", "model_id")),
    ]
    upstream_id: Annotated[
        str | None,
        Setting(
            Text("a text", r"[\s\S]+"),
            "What the provider calls it.",
            example='"openai/gpt-4o"',
            otherwise="the same as `id`",
            also=("upstream_model", "provider_model"),
        ),
    ] = None
    input_msat_per_mtok: Annotated[
        int | None,
        Setting(
            _RATE,
            "Price of a million input tokens, in millisatoshi (1 sat = 1,000 msat).",
            example="2_631_579",
            otherwise="not known",
            also=("input_rate", "input_price", "input_cost_per_token", "input"),
        ),
    ] = None
    output_msat_per_mtok: Annotated[
        int | None,
        Setting(
            _RATE,
            "Price of a million output tokens, in millisatoshi.",
            example="10_526_316",
            otherwise="not known",
            also=("output_rate", "output_price", "output_cost_per_token", "output"),
        ),
    ] = None
    cache_read_msat_per_mtok: Annotated[
        int | None,
        Setting(
            _RATE,
            "Price of a million input tokens that the provider had in its cache, in millisatoshi.",
            example="1_315_790",
            otherwise="as other input",
        ),
    ] = None
    input_usd_per_mtok: Annotated[
        int | None,
        Setting(_DOLLARS, "Price of a million input tokens, in US dollars.", example="2.50", otherwise="not known"),
    ] = None
    output_usd_per_mtok: Annotated[
        int | None,
        Setting(_DOLLARS, "Price of a million output tokens, in US dollars.", example="10.00", otherwise="not known"),
    ] = None
    cache_read_usd_per_mtok: Annotated[
        int | None,
        Setting(
            _DOLLARS,
            "Price of a million input tokens that the provider had in its cache, in US dollars.",
            example="1.25",
            otherwise="as other input",
        ),
    ] = None
    base_fee_msat: Annotated[
        int, Setting(_RATE, "Price of a call itself, in millisatoshi, on top of its tokens.", also=("base_fee",))
    ] = 0
    free: Annotated[bool, Setting(Flag(), "It costs nothing; stands instead of prices.", example="true")] = False


class ProviderConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A provider, ready for use."""

    endpoint: Endpoint
    offers: tuple[Offer, ...] = ()
    list_models: bool
    """Whether to ask it for more models than these."""
    free: bool = False
    """Whether the models that it lists cost nothing."""

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


class _Nothing(msgspec.Struct, frozen=True):
    """The settings of one gateway."""


SERVER: Final = Table("server", ServerConfig, also=("general_settings", "litellm_settings", "http"))
RATES: Final = Table("rates", RatesTable, also=("rate", "exchange_rates", "currency"))
ROUTING: Final = Table("routing", RoutingConfig, also=("router", "router_settings", "policies"))
MODELS: Final = Table("providers.models", ModelTable, is_list=True, also=("model_list", "model_info"))
PROVIDERS: Final = Table("providers", ProviderTable, is_list=True, tables=(MODELS,), also=("upstreams", "deployments"))
FILE: Final = Table("", _Nothing, tables=(SERVER, RATES, ROUTING, PROVIDERS))
TABLES: Final = (SERVER, RATES, ROUTING, PROVIDERS, MODELS)
"""Every table, in the order of the reference page."""


def setting_at(path: KeyPath) -> Setting | None:
    """The setting that a place of the file belongs to, if there is one."""
    names = [name for name in path if isinstance(name, str)]
    table = next((each for each in TABLES if each.name == ".".join(names[:-1])), None)
    return next((each for each in table.settings if each.name == names[-1]), None) if table else None
