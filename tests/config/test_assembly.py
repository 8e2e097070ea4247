"""From the tables of a file to what the gateway is built from."""

from __future__ import annotations

from pathlib import Path

import pytest

from satisfice.catalog.model import Capabilities, ModelId
from satisfice.catalog.names import Named
from satisfice.catalog.offers import Offer, Price, Tier, Traits
from satisfice.config.callers import CallerKey
from satisfice.config.load import Loaded, load
from satisfice.config.problems import Code
from satisfice.config.providers import FeedConfig
from satisfice.config.schema import Config, HealthConfig, ProviderConfig, RoutingConfig, ServerConfig
from satisfice.core.amounts import Rate, UsdPerBtc
from satisfice.core.secrets import Secret
from satisfice.health.breaker import Limits
from satisfice.ports import Endpoint, Timeouts
from satisfice.routing.policy import Policy
from satisfice.wire.request import Ability

_WHOLE_TEXT = """
[server]
host = "0.0.0.0"
port = 80
access_token = "env:TOKEN"
max_body_mib = 8
drain_timeout = 1.5

[rates]
usd_per_btc = 95_000

[routing]
policy = "careful"
allow_unpriced = true
max_attempts = 2
hedge_after = 2.5
retry_ratio = 0.1
retry_reserve = 1
backoff_initial = 0.1
backoff_max = 1

[health]
failures = 2
open_for = 20
open_max = 60
probe_wait = 1

[[providers]]
name = "open-router"
url = "https://openrouter.ai/api/v1/"
key = "env:KEY"
proxy = "socks5h://127.0.0.1:9050"
connect_timeout = 1
first_byte_timeout = 2
idle_timeout = 3
total_timeout = 4
list_models = true
region = "eu"
failures = 5
cache_lifetime = 300

[[providers.models]]
id = "gpt-4o"
upstream_id = "openai/gpt-4o"
input_msat_per_mtok = 1
output_msat_per_mtok = 2
can = ["tools"]

[[providers.models.tiers]]
above = 200_000
input_msat_per_mtok = 3
output_msat_per_mtok = 4

[[providers]]
name = "local"
url = "http://127.0.0.1:11434/v1"
free = true

[[feeds]]
name = "prices"
url = "https://prices.example/quotes.json"
max_age = 60
period = 10

[[models]]
name = "fast"
any_of = ["gpt-4o-mini", "qwen/*"]
policy = "careful"

[[policies]]
name = "careful"
regions = ["eu"]

[[keys]]
name = "laptop"
key = "env:LAPTOP_KEY"
policy = "careful"
"""
_WHOLE = Config(
    server=ServerConfig(host="0.0.0.0", port=80, access_token=Secret("t"), max_body_mib=8, drain_timeout=1.5),  # noqa: S104 - read, not bound
    routing=RoutingConfig(
        policy="careful",
        allow_unpriced=True,
        max_attempts=2,
        hedge_after=2.5,
        retry_ratio=0.1,
        retry_reserve=1.0,
        backoff_initial=0.1,
        backoff_max=1.0,
    ),
    providers=(
        ProviderConfig(
            endpoint=Endpoint(
                provider="open-router",
                url="https://openrouter.ai/api/v1",
                key=Secret("k"),
                timeouts=Timeouts(connect=1, first_byte=2, idle=3, total=4),
                proxy=Secret("socks5h://127.0.0.1:9050"),
            ),
            offers=(
                Offer(
                    provider="open-router",
                    model=ModelId("gpt-4o"),
                    upstream_model="openai/gpt-4o",
                    price=Price(
                        input=Rate(1),
                        output=Rate(2),
                        tiers=(Tier(above=200_000, input=Rate(3), output=Rate(4)),),
                    ),
                    capabilities=Capabilities(has=frozenset({Ability.TOOLS})),
                    traits=Traits(region="eu"),
                ),
            ),
            list_models=True,
            traits=Traits(region="eu"),
            limits=Limits(failures=5, open_for=20.0, open_max=60.0),
            cache_lifetime=300.0,
        ),
        ProviderConfig(
            endpoint=Endpoint(provider="local", url="http://127.0.0.1:11434/v1"), list_models=True, free=True
        ),
    ),
    usd_per_btc=UsdPerBtc(95_000),
    health=HealthConfig(failures=2, open_for=20.0, open_max=60.0, probe_wait=1.0),
    policies=(Policy(name="careful", regions=frozenset({"eu"})),),
    keys=(CallerKey(name="laptop", key=Secret("l"), policy="careful"),),
    models=(Named(name="fast", any_of=("gpt-4o-mini", "qwen/*"), policy="careful"),),
    feeds=(FeedConfig(name="prices", url="https://prices.example/quotes.json", max_age=60.0, period=10.0),),
)


def test_a_whole_file_becomes_what_the_gateway_is_built_from() -> None:
    loaded = _load(_WHOLE_TEXT)

    assert (_WHOLE, ()) == (loaded.config, loaded.problems)


@pytest.mark.parametrize(
    ("settings", "codes"),
    [
        ("[routing]\nbackoff_initial = 9", [Code.CONFLICT]),
        ("[routing]\nbackoff_max = 0.1", [Code.CONFLICT]),
        ("[routing]\nbackoff_initial = 8", []),
        ("[routing]\nbackoff_initial = 9\nbackoff_max = 10", []),
        ("[health]\nopen_for = 121", [Code.CONFLICT]),
        ("[health]\nopen_max = 29", [Code.CONFLICT]),
        ("[health]\nopen_for = 120", []),
    ],
)
def test_the_first_pause_is_not_longer_than_the_longest(settings: str, codes: list[Code]) -> None:
    assert codes == _codes(settings)


@pytest.mark.parametrize(
    "names",
    [
        "[routing]\npolicy = 'carefree'",
        "[[keys]]\nname = 'laptop'\nkey = 'env:KEY'\npolicy = 'carefree'",
        "[[models]]\nname = 'fast'\nany_of = ['*']\npolicy = 'carefree'",
    ],
)
def test_whoever_names_a_policy_names_one_that_there_is(names: str) -> None:
    assert [Code.UNKNOWN_NAME] == _codes(names)
    assert [] == _codes(f"{names}\n[[policies]]\nname = 'carefree'")


@pytest.mark.parametrize(
    ("routing", "codes"),
    [("", [Code.UNPRICED_MODEL]), ("allow_unpriced = false", [Code.UNPRICED_MODEL]), ("allow_unpriced = true", [])],
)
def test_a_model_without_a_price_is_warned_of_unless_that_is_wanted(routing: str, codes: list[Code]) -> None:
    provider = "[[providers]]\nname = 'a'\nurl = 'https://a.example'\nmodels = [{ id = 'm' }]"

    assert codes == _codes(f"[routing]\n{routing}\n{provider}")


def _load(text: str) -> Loaded:
    return load(text, file="file.toml", env={"TOKEN": "t", "KEY": "k", "LAPTOP_KEY": "l"}, base=Path())


def _codes(text: str) -> list[Code]:
    return [problem.code for problem in _load(text).problems]
