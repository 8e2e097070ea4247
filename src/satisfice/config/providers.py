"""The settings of those who sell or run models, and of those who say what they cost."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from satisfice.config.addresses import Address, check_proxy, is_plain_proxy
from satisfice.config.models import MODELS
from satisfice.config.references import TOKEN, Certificates, Sealed
from satisfice.config.tables import Setting, Table
from satisfice.config.values import SECONDS, SLUG, TRAIT, Flag, Number, Whole
from satisfice.core.secrets import Secret
from satisfice.ports import Timeouts

__all__ = ["FEEDS", "PROVIDERS", "FeedConfig", "ProviderTable"]

_TIMES: Final = Timeouts()


class ProviderTable(msgspec.Struct, frozen=True, kw_only=True):
    """Who sells or runs models, and how to reach it. One table for each provider."""

    name: Annotated[str, Setting(SLUG, "What you call it; callers may ask for `model@name`.", example='"openrouter"')]
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
            TOKEN,
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
        float, Setting(SECONDS, "Seconds until the connection stands, name look-up, proxy and TLS included.")
    ] = _TIMES.connect
    first_byte_timeout: Annotated[
        float,
        Setting(SECONDS, "Seconds from the request until the answer begins; in streams, until the first real output."),
    ] = _TIMES.first_byte
    idle_timeout: Annotated[float, Setting(SECONDS, "Seconds between two pieces of an answer.")] = _TIMES.idle
    total_timeout: Annotated[
        float,
        Setting(
            SECONDS,
            "Seconds for the whole call, all its attempts included; a stream that has begun is bound by `idle_timeout` "
            "alone.",
            also=("timeout", "request_timeout"),
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
    region: Annotated[
        str | None,
        Setting(TRAIT, "Where its models run.", example='"eu"', otherwise="not known", also=("location", "country")),
    ] = None
    retention: Annotated[
        str | None,
        Setting(
            TRAIT,
            "How long it keeps what it is sent.",
            example='"none"',
            otherwise="not known",
            also=("data_retention", "data_collection"),
        ),
    ] = None
    quantisation: Annotated[
        str | None,
        Setting(
            TRAIT,
            "The precision of its models' weights.",
            example='"fp8"',
            otherwise="not known",
            also=("quantization", "precision"),
        ),
    ] = None
    cache_lifetime: Annotated[
        float | None,
        Setting(
            Number(0, 604_800, "seconds"),
            "Seconds that it keeps a prompt in its cache; 0 if it has none.",
            example="300",
            otherwise="learnt from the cached tokens that it reports",
            also=("cache_ttl", "ttl"),
        ),
    ] = None
    failures: Annotated[
        int | None,
        Setting(
            Whole(1, 1_000), "As under `[health]`, for this provider.", example="5", otherwise="that of `[health]`"
        ),
    ] = None
    open_for: Annotated[
        float | None,
        Setting(SECONDS, "As under `[health]`, for this provider.", example="10.0", otherwise="that of `[health]`"),
    ] = None


class FeedConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where fresher prices come from than the file or the providers have them. One table for each feed."""

    name: Annotated[str, Setting(SLUG, "What you call it.", example='"prices"')]
    url: Annotated[
        str,
        Setting(
            Address(is_base=False),
            "Where its quotes are.",
            example='"https://prices.example/quotes.json"',
            also=("uri",),
        ),
    ]
    max_age: Annotated[
        float,
        Setting(
            Number(1, 604_800, "seconds"),
            "Seconds after which a quote is too old to be believed.",
            also=("max_age_seconds", "ttl"),
        ),
    ] = 600.0
    period: Annotated[
        float,
        Setting(
            Number(1, 86_400, "seconds"),
            "Seconds between two looks at it.",
            also=("interval", "poll_interval", "every"),
        ),
    ] = 60.0


PROVIDERS: Final = Table("providers", ProviderTable, is_list=True, tables=(MODELS,), also=("upstreams", "deployments"))
FEEDS: Final = Table("feeds", FeedConfig, is_list=True, also=("price_feeds", "quotes"))
